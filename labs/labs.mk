# The labs. make lab1 copies the blanks of lab 1 to mine/ the first time, builds what is there, and prints the table (labs/README.md).

LAB_NAMES := $(sort $(patsubst labs/%/lab.json,%,$(wildcard labs/lab*/lab.json)))
LABB    := $(BUILD)/labs$(if $(LAB_SANITIZE),-asan)
MINE    ?= mine
# Suites that run at once, of up to 1 GiB each: two, or as you say.
JOBS    ?= 2
LABTOOL := $(BUILD)/labs/labtool
LAB_PCH := $(if $(LAB_SANITIZE),-asan)

# A student's code may have warnings, but no function without its return. Checks of the standard library say where an index is wrong.
LAB_FLAGS = $(filter-out -Werror,$(COMMON)) $(if $(LAB_SANITIZE),$(OPTIMISE_asan),$(LAB_OPTIMISE_$(CONFIG))) -Wno-unused -Wno-unused-parameter -Werror=return-type -D_GLIBCXX_ASSERTIONS $(CXXFLAGS)
LAB_OPTIMISE_release := -O1
LAB_OPTIMISE_debug   := $(OPTIMISE_debug)
LAB_OPTIMISE_asan    := $(OPTIMISE_asan)
$(eval $(call PRECOMPILED_RULE,lab$(LAB_PCH),LAB_FLAGS))
LAB_TEST_FLAGS = $(LAB_FLAGS) -DVITRAIL_PRECOMPILED_FOR_TESTS
$(eval $(call PRECOMPILED_RULE,labtest$(LAB_PCH),LAB_TEST_FLAGS))

export LAB_BUILD   := $(LABB)
export LAB_CONFIG  := $(if $(LAB_SANITIZE),asan,$(CONFIG))
export LAB_LIBRARY := $(LIB)
# The OpenMP of clang makes a file in /dev/shm when its first threads start, and ends the program if it may not: answers built by clang
# are not confined (limits and process groups are as always). A teacher grades with g++.
export LAB_CONFINED ?= $(if $(findstring clang,$(CXX)),no,yes)
export LAB_COMPILE = $(CXX) $(filter-out -MMD -MP,$(LAB_FLAGS)) -pipe -fdiagnostics-color=never -fmax-errors=20 $(call include,lab$(LAB_PCH)) -include labs/common/todo.h -c {in} -o {out}
export LABTOOL
export LAB_COMMON       := $(LABB)/common
export LAB_TEST_COMPILE  = $(CXX) $(filter-out -MMD -MP,$(LAB_TEST_FLAGS)) $(call include,labtest$(LAB_PCH))
LAB_SANITIZERS := -fsanitize=address,undefined
# gold, where it is installed, links in a third of the time, and a program is linked for every change of a region. A build ID
# would be a hash of all its megabytes.
LAB_LINKER := $(if $(findstring gold,$(shell $(CXX) -fuse-ld=gold -Wl,--version 2>/dev/null)),-fuse-ld=gold)
export LAB_LINK    = $(CXX) $(LAB_LINKER) $(LINK_FLAGS) $(if $(LAB_SANITIZE),$(LAB_SANITIZERS)) -Wl,--build-id=none {objects} $(LIB) $(LIBS) -o {out}

# The tool uses base/ alone, so that it can be built where the rest of the framework is still to be written.
LABTOOL_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard labs/tool/*.cpp)) $(filter base/%,$(LIB_SRC)))
$(BUILD)/labs/tool/%.o: labs/tool/%.cpp $(call precompiled,light) | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(LIGHT_FLAGS) $(call include,light) -c $< -o $@
$(LABTOOL): $(LABTOOL_OBJ)
	@echo "  link    $@"
	@$(CXX) $(LINK_FLAGS) $^ -lz -lpthread $(GOMP_LIB) -ldl $(LDFLAGS) -o $@

$(LABB)/common/main.o: labs/common/main.cpp | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(LAB_FLAGS) -c $< -o $@
$(LABB)/common/lab.o: labs/common/lab.cpp $(call precompiled,labtest$(LAB_PCH))
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(LAB_TEST_FLAGS) $(call include,labtest$(LAB_PCH)) -c $< -o $@
$(LABB)/lab%/tests.o: labs/lab%/tests.cpp $(call precompiled,labtest$(LAB_PCH))
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(LAB_TEST_FLAGS) $(call include,labtest$(LAB_PCH)) -c $< -o $@

LAB_READY = $(LABTOOL) $(LABB)/common/main.o $(LABB)/common/lab.o $(LIB) $(call precompiled,lab$(LAB_PCH))
lab_options = --mine "$(MINE)" --jobs $(or $(JOBS),2) $(if $(EX),--ex "$(EX)") $(if $(LEND),--lend "$(LEND)") $(if $(SEED),--seed $(SEED))

.PHONY: $(LAB_NAMES) $(LAB_NAMES:%=check-%) $(LAB_NAMES:%=%-asan) $(LAB_NAMES:%=%-reset) labs hint reveal labs-prove labs-record
$(LAB_NAMES): lab%: $(LABB)/lab%/tests.o $(LAB_READY)
	@$(LABTOOL) run $* $(lab_options)
$(LAB_NAMES:%=check-%): check-lab%: $(LABB)/lab%/tests.o $(LAB_READY)
	@$(LABTOOL) run $* $(lab_options) --strict
# A lab that is not in this tree, or not written yet. Named one by one: a pattern lab% would be a rule for every file whose name begins so.
LAB_GOALS := $(filter-out labs labs-%,$(filter lab lab% check-lab% milestone%,$(MAKECMDGOALS)))
NO_LABS   := $(filter-out $(LAB_NAMES) $(LAB_NAMES:%=check-%) $(LAB_NAMES:%=%-asan) $(LAB_NAMES:%=%-reset) $(LAB_NAMES:lab%=milestone%),$(LAB_GOALS))
.PHONY: $(NO_LABS)
$(NO_LABS):
	@echo "vitrail: there is no $@ in this tree. There are: $(LAB_NAMES)" >&2; exit 2
# The first goal of these builds the framework.
ifneq ($(LAB_GOALS),)
ifeq ($(wildcard $(LIB)),)
$(info The framework is built first. That happens once and takes some minutes.)
endif
endif

# Only the student's files and the tests are built with the sanitizers: that takes seconds, the whole framework would take minutes.
$(LAB_NAMES:%=%-asan):
	@$(MAKE) --no-print-directory LAB_SANITIZE=yes $(@:%-asan=%)
$(LAB_NAMES:%=%-reset): lab%-reset: $(LABTOOL)
	@$(LABTOOL) reset $* --mine "$(MINE)"
hint: $(LABTOOL)
	@$(LABTOOL) hint "$(EX)"
reveal: $(LABTOOL)
	@$(LABTOOL) reveal "$(EX)"
labs: $(LABTOOL)
	@$(LABTOOL) status

# LABS=1,3 and LABS="1 3": for a loop, and as the tool takes them.
comma := ,
none  :=
space := $(none) $(none)
lab_list    = $(strip $(subst $(comma),$(space),$(LABS)))
lab_numbers = $(subst $(space),$(comma),$(lab_list))
# The pictures. A student's lie in mine/pictures; labs-pictures draws those of the handouts, with the reference.
MILESTONES := $(patsubst labs/lab%/milestone.cpp,%,$(wildcard labs/lab*/milestone.cpp))
$(LABB)/lab%/milestone.o: labs/lab%/milestone.cpp $(call precompiled,lab$(LAB_PCH))
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(LAB_FLAGS) $(call include,lab$(LAB_PCH)) -c $< -o $@
.PHONY: $(MILESTONES:%=milestone%) labs-milestones labs-pictures labs-handouts
labs-milestones: $(MILESTONES:%=$(LABB)/lab%/milestone.o)
$(MILESTONES:%=milestone%): milestone%: $(LABB)/lab%/milestone.o $(LAB_READY)
	@$(LABTOOL) milestone $* --mine "$(MINE)" $(if $(LEND),--lend "$(LEND)")
labs-pictures: $(MILESTONES:%=$(LABB)/lab%/milestone.o) $(LAB_READY)
	@for n in $(or $(lab_list),$(MILESTONES)); do $(LABTOOL) milestone $$n --reference --out labs/lab$$n || exit 1; done
labs-handouts: $(LABTOOL)
	@$(LABTOOL) handouts

# Handing in, grading, handing out (labs/TEACHING.md).
.PHONY: submit grade labs-grader labs-export
# All that grading needs, so that it compiles nothing but the submission.
labs-grader: $(patsubst labs/%/tests.cpp,$(LABB)/%/tests.o,$(wildcard labs/lab*/tests.cpp)) $(LAB_READY)
submit: $(LABTOOL)
	@$(LABTOOL) submit --labs "$(lab_numbers)" --mine "$(MINE)" --out "$(or $(OUT),submission.zip)"
grade: labs-grader
	@$(LABTOOL) grade --submission "$(SUBMISSION)" --labs "$(lab_numbers)" $(if $(SEED),--seed $(SEED)) --format $(or $(FORMAT),gradescope) --out "$(OUT)" --jobs $(JOBS)
labs-export: $(LABTOOL)
	@$(LABTOOL) export --out "$(OUT)" $(if $(SOLVED),--solved $(SOLVED))

# The tool itself: hostile answers, broken proofs, exported trees (labs/tests/).
$(BUILD)/labs/tests/%.o: labs/tests/%.cpp $(call precompiled,light) | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(LIGHT_FLAGS) $(call include,light) -c $< -o $@
$(LABB)/hostile: $(BUILD)/labs/tests/hostile.o $(filter-out %/main.o,$(LABTOOL_OBJ))
	@echo "  link    $@"
	@$(CXX) $(LINK_FLAGS) $^ -lz -lpthread $(GOMP_LIB) -ldl $(LDFLAGS) -o $@
.PHONY: labs-hostile labs-proofs labs-answers
labs-answers: $(LABTOOL)
	@labs/tests/answers.sh $(LABTOOL) $(or $(SOLVED),0)
labs-proofs: $(LAB_READY)
	@labs/tests/proofs.sh
labs-hostile: $(LABB)/hostile $(LABB)/lab1/tests.o $(LAB_READY)
	@$(LABB)/hostile $(ARGS)

# In an exported tree, labs/blank.txt lists the files with blank regions: there every program takes these regions from mine/.
BLANK_OBJ := $(if $(wildcard labs/blank.txt),$(patsubst %.cpp,$(BUILD)/%.o,$(shell cat labs/blank.txt)))
ifneq ($(BLANK_OBJ),)
.PHONY: FORCE
$(BLANK_OBJ): $(BUILD)/%.o: %.cpp $(LABTOOL) $(call precompiled,lab$(LAB_PCH)) FORCE
	@$(LABTOOL) object $< --mine "$(MINE)" --out $@
endif

# For those who write labs: LABS=1,3 only these; EX=1.3 only this exercise; labs-record writes what the reference and the known mistakes make.
PROVE_TESTS := $(patsubst labs/%/tests.cpp,$(LABB)/%/tests.o,$(wildcard labs/lab*/tests.cpp))
labs-prove: $(PROVE_TESTS) $(LAB_READY)
	@$(LABTOOL) prove --jobs $(or $(JOBS),2) $(if $(lab_numbers),--labs $(lab_numbers)) $(if $(EX),--ex "$(EX)") $(ARGS)
labs-record: $(PROVE_TESTS) $(LAB_READY)
	@$(LABTOOL) prove --record --jobs $(or $(JOBS),2) $(if $(lab_numbers),--labs $(lab_numbers)) $(ARGS)
