# Vitrail: one non-recursive Makefile. Everything is built into build/<config>/.
#   make demo      train a small Vision Transformer on pictures that the program draws itself
#   make test      all tests
#   make help      everything else
CONFIG ?= release
ARCH   ?= native
BUILD  ?= build/$(CONFIG)
CXX    ?= g++

CXXFLAGS_release := -O3
CXXFLAGS_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CXXFLAGS_debug   := -O0 -g

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow
# No -ffast-math: NaN and infinity must behave. These two flags alone let loops vectorise (docs/architecture.md).
FLOATS   := -fno-math-errno -fno-trapping-math -ffp-contract=fast
FLAGS     = -std=c++20 -march=$(ARCH) $(CXXFLAGS_$(CONFIG)) $(FLOATS) $(WARNINGS) -fopenmp -I. -MMD -MP $(CXXFLAGS)
# BLIS statically: its processor query is not exported by the shared library.
LIBS      = -l:libblis.a -lpthread -lm -ljpeg -lpng -lz

LIB_DIRS := tensor autograd nn models data train
LIB_SRC  := $(foreach d,$(LIB_DIRS),$(wildcard $(d)/*.cpp $(d)/*/*.cpp))
LIB_OBJ  := $(LIB_SRC:%.cpp=$(BUILD)/%.o)
LIB      := $(BUILD)/libvitrail.a

.PHONY: all lib clean
all: lib
lib: $(LIB)

$(BUILD)/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -c $< -o $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

# Test binaries: one per folder under tests/, e.g. build/release/tests/tensor
OP_CASES_OBJ := $(patsubst %.cpp,$(BUILD)/%.o,$(wildcard tests/op_cases*.cpp))
define TEST_RULE
TEST_OBJ_$(1) := $$(patsubst %.cpp,$$(BUILD)/%.o,$$(wildcard tests/$(1)/*.cpp)) $$(BUILD)/tests/main.o
$$(BUILD)/tests/$(1).bin: $$(TEST_OBJ_$(1)) $$(OP_CASES_OBJ) $$(LIB)
	$$(CXX) $$(FLAGS) $$^ $$(LIBS) -o $$@
test-$(1): $$(BUILD)/tests/$(1).bin
	$$< $$(ARGS)
endef
TEST_DIRS := tensor autograd nn models data train cli
$(foreach d,$(TEST_DIRS),$(eval $(call TEST_RULE,$(d))))

clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
