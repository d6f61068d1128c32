# Vitrail. One non-recursive Makefile; everything is built into build/<configuration>/.
#
#   make demo    learn drawn digits, then letters from ten pictures of each, and see where the model looked (under four minutes)
#   make test    all tests
#   make help    everything else

# ---- what to build, and how ------------------------------------------------------------------------------------------

# What plain `make` builds. Without this line it would be the first rule of this file, which is that of a precompiled header.
.DEFAULT_GOAL := all
# No file here is made by a rule that make brings along; looking for one costs a quarter of a second.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
CONFIG ?= release
# native = this machine; x86-64-v3 (AVX2) or x86-64-v2 run elsewhere too.
ARCH   ?= native
ifeq ($(origin CXX),default)
CXX    := g++
endif
PREFIX ?= /usr/local

# "yes" if CXX is GCC, empty if clang.
GCC    := $(if $(shell $(CXX) --version 2>/dev/null | grep 'Free Software'),yes)

# One folder per configuration, architecture and compiler: their objects never mix.
BUILD  ?= build/$(CONFIG)$(if $(filter-out native,$(ARCH)),-$(ARCH))$(if $(filter-out g++,$(lastword $(CXX))),-$(lastword $(CXX)))
# Two compilers at once need little memory; more cores, more compilers.
ifeq ($(filter -j%,$(MAKEFLAGS))$(LAB_SANITIZE),)  # make lab1-asan is a make below another, and takes its jobs from that
MAKEFLAGS += -j$(shell nproc)
endif

OPTIMISE_release := -O3
OPTIMISE_debug   := -O0 -g -D_GLIBCXX_ASSERTIONS
OPTIMISE_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS
OPTIMISE_tsan    := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
# What runs once and is compiled often: tests, and what only reads and writes text (their templates take seconds at -O3).
OPTIMISE_LIGHT_release := -O1

# omp simd is a wish: clang warns of every loop where it does not follow it.
# Wide vectors are passed within one file only: what GCC says of their ABI without AVX does not matter.
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow $(if $(GCC),,-Wno-pass-failed) -Wno-psabi $(if $(CI),-Werror)
# No -ffast-math: NaN and infinity must behave. These flags alone let the loops vectorise (docs/architecture.md, "Floats").
FLOATS   := -fno-math-errno -fno-trapping-math -ffp-contract=fast
# GCC 12.2 with AVX-512 turns the constant {1, 1, 0, 0} into {1, 1, 1, 1} (a broadcast too many); narrower moves avoid it.
MOVES    := $(shell $(CXX) -mmove-max=128 -mstore-max=128 -x c++ -E /dev/null >/dev/null 2>&1 && echo -mmove-max=128 -mstore-max=128)
# Position-independent, so that libvitrail.a can become part of a shared library; our own calls are never interposed.
SHARED   := -fPIC -fno-semantic-interposition
COMMON    = -std=c++20 -march=$(ARCH) $(SHARED) $(MOVES) $(FLOATS) $(WARNINGS) -fopenmp -I. -MMD -MP
FLAGS       = $(COMMON) $(OPTIMISE_$(CONFIG)) $(CXXFLAGS)
LIGHT_FLAGS = $(COMMON) $(or $(OPTIMISE_LIGHT_$(CONFIG)),$(OPTIMISE_$(CONFIG))) $(CXXFLAGS)
TEST_FLAGS  = $(LIGHT_FLAGS) -DVITRAIL_PRECOMPILED_FOR_TESTS
# BLIS statically: its processor query is not exported by the shared library. Distributions put it in different folders.
BLIS_LIB  = $(or $(firstword $(wildcard $(foreach d,$(shell $(CXX) -print-multiarch 2>/dev/null) lib64 lib,/usr/lib/$(d)/libblis.a \
              /usr/lib/$(d)/blis-openmp/libblis.a) /usr/local/lib/libblis.a)),-l:libblis.a)
# libgomp statically: it reads how threads wait before anything else runs (tensor/machine/waiting.h).
GOMP_LIB := $(if $(GCC),$(filter /%,$(shell $(CXX) -print-file-name=libgomp.a)))
LIBS       = $(BLIS_LIB) -ljpeg -lpng -lwebp -lz $(GOMP_LIB) -lpthread -ldl -lm $(LDFLAGS)
LINK_FLAGS = $(if $(GOMP_LIB),$(filter-out -fopenmp,$(FLAGS)),$(FLAGS))

# ---- precompiled headers ----------------------------------------------------------------------------------------------

# The standard headers cost more than most files behind them: GCC reads them once per set of flags. make PRECOMPILED= does without.
# What lies in one is in no object's list of headers: so objects depend on it, and it on them.
PRECOMPILED := $(GCC)
precompiled  = $(if $(PRECOMPILED),$(BUILD)/precompiled/$(1)/precompiled.h)
# Continuous integration compiles all but the labs' files without: the precompiled header hides what a file forgot to include.
include      = $(if $(PRECOMPILED),$(if $(and $(CI),$(filter full light test,$(1))),,-include $(call precompiled,$(1))))

define PRECOMPILED_RULE
$$(BUILD)/precompiled/$(1)/precompiled.h: tools/precompiled.h | deps
	@mkdir -p $$(@D)
	@echo "  compile $$< ($(1))"
	@$$(CXX) $$($(2)) -MT $$@ -x c++-header $$< -o $$@.gch && cp $$< $$@
endef
$(eval $(call PRECOMPILED_RULE,full,FLAGS))
$(eval $(call PRECOMPILED_RULE,light,LIGHT_FLAGS))
$(eval $(call PRECOMPILED_RULE,test,TEST_FLAGS))

# ---- the library ------------------------------------------------------------------------------------------------------

LIB_DIRS := base tensor data autograd nn models comm train
# comm/mpi.cpp belongs to the program of make MPI=1 (below).
LIB_SRC  := $(filter-out comm/mpi.cpp,$(sort $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.cpp $(d)/*/*.cpp $(d)/*/*/*.cpp))))
LIB_OBJ  := $(LIB_SRC:%.cpp=$(BUILD)/%.o)
LIB      := $(BUILD)/libvitrail.a

.PHONY: all
all: $(BUILD)/vitrail $(BUILD)/runop examples

$(BUILD)/%.o: %.cpp $(call precompiled,full) | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(FLAGS) $(call include,full) -c $< -o $@

# What only reads and writes text. The table of gradient checks is among it: it is part of the program, which needs no doctest.
LIGHT_SRC := $(filter-out %_test.cpp,$(wildcard tests/op_cases*.cpp tests/runop/*.cpp tests/fuzz/*.cpp tests/fuzz/*/*.cpp)) $(wildcard base/*.cpp tensor/safetensors*.cpp) models/config_json.cpp models/presets.cpp \
             train/config_json.cpp models/weights/save.cpp $(wildcard models/weights/formats/*.cpp) train/metrics_log.cpp train/progress.cpp train/run_state.cpp train/checkpoint.cpp train/task/scores.cpp $(wildcard train/report/*.cpp) \
             $(filter-out cli/processor_check.cpp,$(wildcard cli/*.cpp))
$(LIGHT_SRC:%.cpp=$(BUILD)/%.o): $(BUILD)/%.o: %.cpp $(call precompiled,light) | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(LIGHT_FLAGS) $(call include,light) -c $< -o $@

# Bytes cut from floats, equal to Pillow's: no fused multiply-add.
$(addprefix $(BUILD)/data/,image/resample_weights.o augment/geometry.o augment/warp.o augment/pixel_ops.o augment/blur.o): private FLAGS += -ffp-contract=off

# The innermost loops of the matrix products are built once for each instruction set, whatever ARCH is; the fastest that the
# processor has is chosen at run time (tensor/product/micro_kernel.h). A compiler that does not know a set leaves it out.
SET_avx2        := -mavx2 -mfma
SET_avx512      := $(SET_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl
SET_avx512_bf16 := $(SET_avx512) -mavx512bf16
$(BUILD)/tensor/product/micro_kernel_%.o: tensor/product/micro_kernel_%.cpp | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(FLAGS) $$($(CXX) $(SET_$*) -E -x c++ /dev/null >/dev/null 2>&1 && echo -march=x86-64 $(SET_$*)) -c $< -o $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

# ---- the program ------------------------------------------------------------------------------------------------------

# The table of gradient checks is part of the program: `vitrail opcheck` runs it.
OP_CASES_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard tests/op_cases*.cpp)))
CLI_OBJ      := $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard cli/*.cpp)))

$(BUILD)/vitrail: $(CLI_OBJ) $(OP_CASES_OBJ) $(LIB)
	@echo "  link    $@"
	@$(CXX) $(LINK_FLAGS) $^ $(LIBS) -o $@

# Runs before anything else in the program and must itself run anywhere: built for the oldest processor, told what the
# rest was built for.
$(BUILD)/cli/processor_check.o: cli/processor_check.cpp | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(FLAGS) -march=x86-64 $$(tools/built_for.sh $(CXX) -march=$(ARCH)) -c $< -o $@

# A test program: one operation on the tensors of a file (tests/runop/main.cpp). It shares the command line's memory limit.
RUNOP_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,$(filter-out %_test.cpp tests/runop/main.cpp,$(sort $(wildcard tests/runop/*.cpp))))
$(BUILD)/runop: $(BUILD)/tests/runop/main.o $(RUNOP_OBJ) $(BUILD)/cli/memory_limit.o $(BUILD)/cli/processor_check.o $(LIB)
	@echo "  link    $@"
	@$(CXX) $(FLAGS) $^ $(LIBS) -o $@

# ---- many nodes (docs/cluster.md) -----------------------------------------------------------------------------------------

# make MPI=1 builds a second program in a folder of its own: the same objects, but comm/mpi.o before the library, whose world() is
# then taken and not that of comm/world.o. MPI=openmpi or MPI=mpich where both are installed.
PKG_openmpi := ompi-c
PKG_mpich   := mpich
MPI_KIND    := $(if $(filter openmpi mpich,$(MPI)),$(MPI),$(if $(MPI),$(firstword $(foreach m,openmpi mpich,$(shell pkg-config --exists $(PKG_$(m)) 2>/dev/null && echo $(m))))))
ifneq ($(MPI),)
MPI_FOUND   := $(if $(MPI_KIND),$(shell pkg-config --exists $(PKG_$(MPI_KIND)) 2>/dev/null && echo yes))
ifeq ($(MPI_FOUND),)
$(error pkg-config knows no $(or $(MPI_KIND:%=%),MPI). Type: apt-get install pkg-config libopenmpi-dev openmpi-bin (or libmpich-dev mpich))
endif
all: $(BUILD)/$(MPI_KIND)/vitrail
endif

define MPI_RULES
$$(BUILD)/$(1)/mpi.o: comm/mpi.cpp $$(call precompiled,light) | deps
	@mkdir -p $$(@D)
	@echo "  compile $$< ($(1))"
	@$$(CXX) $$(LIGHT_FLAGS) $$(call include,light) $$(patsubst -I%,-isystem %,$$(shell pkg-config --cflags $(PKG_$(1)))) -c $$< -o $$@
$$(BUILD)/$(1)/vitrail: $$(CLI_OBJ) $$(OP_CASES_OBJ) $$(BUILD)/$(1)/mpi.o $$(LIB)
	@echo "  link    $$@"
	@$$(CXX) $$(LINK_FLAGS) $$^ $$(LIBS) $$(shell pkg-config --libs $(PKG_$(1))) -o $$@
endef
$(eval $(call MPI_RULES,openmpi))
$(eval $(call MPI_RULES,mpich))
# For make test: what is installed.
MPI_PROGRAMS = $(foreach m,openmpi mpich,$(if $(shell pkg-config --exists $(PKG_$(m)) 2>/dev/null && echo yes),$(BUILD)/$(m)/vitrail))

# ---- fuzzing (SECURITY.md) ----------------------------------------------------------------------------------------------

# One program a reader, tests/fuzz/NAME.cpp with LLVMFuzzerTestOneInput: over libFuzzer where clang is (CONFIG=fuzz), else over
# a driver that replays files and changes them. Their inputs lie in tests/fuzz/corpus/NAME; make test replays them.
FUZZERS       := $(filter-out random_ops,$(patsubst tests/fuzz/%.cpp,%,$(sort $(wildcard tests/fuzz/*.cpp))))
OPTIMISE_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_SUPPORT  := $(patsubst %.cpp,$(BUILD)/%.o,$(sort $(wildcard tests/fuzz/support/*.cpp)))
FUZZ_MAIN     := $(if $(filter fuzz,$(CONFIG)),,$(FUZZ_SUPPORT))
# A clang that can link both libFuzzer and OpenMP; looked for when a fuzz rule runs.
FUZZ_CLANG     = $(firstword $(foreach c,clang++ clang++-14,$(shell echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }' | $(c) -fsanitize=fuzzer -fopenmp -x c++ - -o /dev/null 2>/dev/null && echo $(c))))
FUZZ_SETTINGS  = $(if $(FUZZ_CLANG),CONFIG=fuzz CXX=$(FUZZ_CLANG),CONFIG=asan)
FUZZ_BUILD     = $(if $(FUZZ_CLANG),build/fuzz-$(FUZZ_CLANG),build/asan)
FUZZ_SECONDS  ?= 60

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FUZZ_MAIN) $(RUNOP_OBJ) $(LIB)
	@mkdir -p $(@D)
	@echo "  link    $@"
	@$(CXX) $(FLAGS) $(if $(FUZZ_MAIN),,-fsanitize=fuzzer) $^ $(LIBS) -o $@

# Random calls of all operators in one process: build/asan/fuzz/random_ops --seed 2 --calls 400000
$(BUILD)/fuzz/random_ops: $(BUILD)/tests/fuzz/random_ops.o $(filter-out %/driver.o,$(FUZZ_SUPPORT)) $(RUNOP_OBJ) $(LIB)
	@mkdir -p $(@D)
	@echo "  link    $@"
	@$(CXX) $(FLAGS) $^ $(LIBS) -o $@

# make fuzz-png: one target without end, or for so long: make fuzz-png ARGS=-max_total_time=600. New inputs go to build/corpus.
.PHONY: fuzz-minute
fuzz-%:
	@$(MAKE) --no-print-directory $(FUZZ_SETTINGS) $(FUZZ_BUILD)/fuzz/$*
	@mkdir -p build/corpus/$*
	ASAN_OPTIONS=allocator_may_return_null=1 $(FUZZ_BUILD)/fuzz/$* $(ARGS) build/corpus/$* tests/fuzz/corpus/$*

# Each target a minute.
fuzz-minute:
	@for name in $(FUZZERS); do $(MAKE) --no-print-directory fuzz-$$name ARGS=-max_total_time=$(FUZZ_SECONDS) || exit 1; done

# For scripts that link a program of their own.
.PHONY: print-libs
print-libs:
	@echo $(INSTALLED_LIBS)

# ---- examples ---------------------------------------------------------------------------------------------------------

EXAMPLES := $(patsubst examples/%.cpp,%,$(sort $(wildcard examples/*.cpp)))

.PHONY: examples
examples: $(EXAMPLES:%=$(BUILD)/examples/%)

$(BUILD)/examples/%: $(BUILD)/examples/%.o $(LIB)
	@echo "  link    $@"
	@$(CXX) $(LINK_FLAGS) $^ $(LIBS) -o $@

# make run-02_autograd ARGS="..."
run-%: $(BUILD)/examples/%
	$< $(ARGS)

# The worked examples of docs/extend.md: built and run by the tests.
EXTEND := $(patsubst %.cpp,$(BUILD)/%,$(sort $(wildcard docs/extend/*.cpp)))
.PHONY: extend
extend: $(EXTEND)
$(BUILD)/docs/extend/%: $(BUILD)/docs/extend/%.o $(filter-out $(BUILD)/cli/main.o,$(CLI_OBJ)) $(OP_CASES_OBJ) $(LIB)
	@echo "  link    $@"
	@$(CXX) $(LINK_FLAGS) $^ $(LIBS) -o $@

.PHONY: demo
demo: $(BUILD)/vitrail
	$(BUILD)/vitrail demo --force --out build/demo $(ARGS)

# ---- benchmarks ---------------------------------------------------------------------------------------------------------

BENCHES := $(patsubst bench/%.cpp,%,$(sort $(wildcard bench/*.cpp)))

.PHONY: bench versus scaling
# Every kernel, one after another: they must not share the machine.
bench: $(BENCHES:%=$(BUILD)/bench/%)
	@for program in $^; do $$program && echo || exit 1; done

$(BUILD)/bench/%: $(BUILD)/bench/%.o $(LIB)
	@echo "  link    $@"
	@$(CXX) $(LINK_FLAGS) $^ $(LIBS) -o $@

# make bench-attention
bench-%: $(BUILD)/bench/%
	@$< $(ARGS)

# Side by side with PyTorch and onnxruntime: make versus ARGS="--works ti,s --rounds 3" (bench/README.md).
versus: $(BUILD)/vitrail $(BUILD)/bench/conv2d
	@python3 bench/versus/versus.py $(ARGS)

# Time and memory over batch, image, depth, width and threads: make scaling ARGS="--out build/scaling" (bench/README.md).
scaling: $(BUILD)/vitrail
	@python3 bench/scaling.py --vitrail $(BUILD)/vitrail $(ARGS)

include labs/labs.mk

# ---- tests ------------------------------------------------------------------------------------------------------------

# One program a folder; its subfolders belong to it.
TEST_DIRS := $(sort $(foreach t,$(wildcard tests/*/*_test.cpp tests/*/*/*_test.cpp tests/*/*/*/*_test.cpp),$(word 2,$(subst /, ,$(t)))))
TEST_BINS := $(TEST_DIRS:%=$(BUILD)/tests/%.bin)

$(BUILD)/tests/%.o: tests/%.cpp $(call precompiled,test) | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(TEST_FLAGS) $(call include,test) -c $< -o $@

# Its implementation must come before its first inclusion.
$(BUILD)/tests/main.o: tests/main.cpp | deps
	@mkdir -p $(@D)
	@echo "  compile $<"
	@$(CXX) $(TEST_FLAGS) -c $< -o $@

define TEST_RULE
$$(BUILD)/tests/$(1).bin: $$(patsubst %.cpp,$$(BUILD)/%.o,$$(filter-out tests/runop/main.cpp,$$(sort $$(wildcard tests/$(1)/*.cpp tests/$(1)/*/*.cpp tests/$(1)/*/*/*.cpp tests/*.cpp)))) $$(LIB)
	@echo "  link    $$@"
	@$$(CXX) $$(LINK_FLAGS) $$^ $$(LIBS) -o $$@
.PHONY: test-$(1)
test-$(1): $$(BUILD)/tests/$(1).bin $$(if $$(filter cli,$(1)),$$(BUILD)/vitrail) $$(if $$(filter runop,$(1)),$$(BUILD)/runop)
	VITRAIL_BIN=$$(BUILD)/vitrail VITRAIL_RUNOP=$$(BUILD)/runop $$< $$(ARGS)
endef
$(foreach d,$(TEST_DIRS),$(eval $(call TEST_RULE,$(d))))

.PHONY: test test-long test-asan test-tsan check-ops layers
test: $(TEST_BINS) $(BENCHES:%=$(BUILD)/bench/%) $(BUILD)/vitrail $(BUILD)/runop $(EXAMPLES:%=$(BUILD)/examples/%) $(EXTEND) $(FUZZERS:%=$(BUILD)/fuzz/%) $(BUILD)/fuzz/random_ops $(if $(filter build/release,$(BUILD)),labs-grader labs-milestones $(LABB)/hostile $(MPI_PROGRAMS))
	@VITRAIL_BIN=$(BUILD)/vitrail VITRAIL_RUNOP=$(BUILD)/runop tools/run_tests.sh $(BUILD) $(ARGS)

# Hours of proof in minutes: the demo's promise, the real data sets, the sanitizers, the second compiler, the portable builds.
test-long:
	@tools/test_long.sh

test-asan:
	@$(MAKE) --no-print-directory CONFIG=asan test

# Threads: clang's OpenMP runtime understands the sanitizer, libgomp does not.
test-tsan:
	@$(MAKE) --no-print-directory CONFIG=tsan CXX=clang++-14 build/tsan-clang++-14/tests/tensor.bin build/tsan-clang++-14/tests/autograd.bin
	TSAN_OPTIONS="ignore_noninstrumented_modules=1 allocator_may_return_null=1" build/tsan-clang++-14/tests/tensor.bin
	TSAN_OPTIONS="ignore_noninstrumented_modules=1 allocator_may_return_null=1" build/tsan-clang++-14/tests/autograd.bin

# Every differentiable op has a row in the table of gradient checks.
check-ops:
	@tools/check_ops.sh

# A folder includes from itself and from the folders above it, never from below.
layers:
	@tools/check_layers.sh

# The two checks above are part of every build of the library.
$(LIB): $(BUILD)/structure.ok
$(BUILD)/structure.ok: $(wildcard autograd/ops/*.h) $(wildcard tests/op_cases*.cpp) tools/check_ops.sh tools/check_layers.sh $(LIB_SRC)
	@mkdir -p $(@D)
	@tools/check_ops.sh && tools/check_layers.sh && touch $@

# ---- setting up, installing, tidying ------------------------------------------------------------------------------------

.PHONY: deps install uninstall docs format lint clean help
# Installs what is missing where it may, else prints the one line to type.
deps:
	@CXX="$(CXX)" tools/deps.sh

# What is installed stands in one list, which `make uninstall` reads: lib/vitrail/installed.
install: $(BUILD)/vitrail
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/pkgconfig" "$(DESTDIR)$(PREFIX)/lib/cmake/vitrail" "$(DESTDIR)$(PREFIX)/lib/vitrail"
	install $(BUILD)/vitrail "$(DESTDIR)$(PREFIX)/bin/"
	install -m 644 $(LIB) "$(DESTDIR)$(PREFIX)/lib/"
	for header in $(HEADERS); do install -m 644 -D $$header "$(DESTDIR)$(PREFIX)/include/vitrail/$$header" || exit 1; done
	sed -e 's|@PREFIX@|$(subst $() ,\\ ,$(PREFIX))|' -e 's|@ARCH@|$(ARCH)|' -e 's|@LIBS@|$(INSTALLED_LIBS)|' tools/vitrail.pc.in > "$(DESTDIR)$(PREFIX)/lib/pkgconfig/vitrail.pc"
	sed -e 's|@ARCH@|$(ARCH)|' -e 's|@CMAKE_LIBS@|$(subst $() ,;,$(INSTALLED_LIBS))|' tools/vitrail-config.cmake.in > "$(DESTDIR)$(PREFIX)/lib/cmake/vitrail/vitrail-config.cmake"
	printf '%s\n' bin/vitrail lib/$(notdir $(LIB)) lib/pkgconfig/vitrail.pc lib/cmake/vitrail/vitrail-config.cmake $(HEADERS:%=include/vitrail/%) lib/vitrail/installed > "$(DESTDIR)$(PREFIX)/lib/vitrail/installed"
HEADERS        = $(sort $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.h $(d)/*/*.h $(d)/*/*/*.h)))
INSTALLED_LIBS = $(strip $(BLIS_LIB) -ljpeg -lpng -lwebp -lz -lpthread -ldl -lm)

uninstall:
	cd "$(DESTDIR)$(PREFIX)" && while read -r file; do rm -f "$$file"; done < lib/vitrail/installed
	-cd "$(DESTDIR)$(PREFIX)" && find include/vitrail lib/vitrail lib/cmake/vitrail -depth -type d -exec rmdir {} + 2>/dev/null

# The documentation is the headers and docs/*.md; this lists where to read.
docs:
	@ls docs/*.md; echo; echo "Public functions are documented in their headers:"; ls $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.h $(d)/*/*.h $(d)/*/*/*.h)) | tr '\n' ' '; echo

SOURCES = $(shell git ls-files '*.cpp' '*.h')
format:
	clang-format-14 -i $(SOURCES)
lint:
	clang-format-14 --dry-run -Werror $(SOURCES)
	clang-tidy-14 --quiet $(LIB_SRC) -- -std=c++20 -march=native -fopenmp -I.

clean:
	rm -rf build

help:
	@echo "make demo               drawn digits, then letters from ten pictures of each: under 4 min"
	@echo "make test               all tests                    make test-asan    under address and undefined sanitizers"
	@echo "make test-tensor        one folder's tests           make test-long    the long proofs"
	@echo "make examples           build the examples           make run-NAME     run one: make run-01_tensors"
	@echo "make bench              time every kernel            make bench-NAME   time one: make bench-attention"
	@echo "make versus             beside PyTorch, onnxruntime  make scaling      cost over batch, image, depth, width"
	@echo "make MPI=1              a program for many nodes (docs/cluster.md): build/release/openmpi/vitrail, or mpich"
	@echo "make all                library, program, examples   make install      PREFIX=/usr/local (make uninstall)"
	@echo "make layers check-ops   structure checks             make format lint  clang-format, clang-tidy"
	@echo "make fuzz-minute        each fuzz target a minute    make fuzz-NAME    one: make fuzz-png"
	@echo "make lab1               the course: labs/README.md   make labs-prove   the labs' own proofs"
	@echo "make docs               where to read                make clean        remove build/"
	@echo "Settings: CONFIG=release|debug|asan|tsan  ARCH=native|x86-64-v3|x86-64-v2  CXX=g++|clang++-14  ARGS=..."

.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
