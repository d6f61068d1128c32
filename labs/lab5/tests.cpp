// Lab 5: the training loop. Each part of it has its suite.
#include "labs/lab5/tests_limits.h"
#include "labs/lab5/tests_order.h"
#include "labs/lab5/tests_rules.h"
#include "labs/lab5/tests_step.h"
