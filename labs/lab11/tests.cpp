// Lab 11: data parallel. Ranks are threads whose messages are watched (labs/lab11/watched_ranks.h); nothing needs MPI.
#include "labs/lab11/tests_broadcast.h"
#include "labs/lab11/tests_buckets.h"
#include "labs/lab11/tests_clip.h"
#include "labs/lab11/tests_ring.h"
#include "labs/lab11/tests_shard.h"
#include "labs/lab11/tests_uneven.h"
