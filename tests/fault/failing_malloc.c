// Preloaded before the C library: allocation number FAIL_AT returns null, and with FAIL_LATER=1 every later one too.
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static long count = 0, fail_at = -1, later = 0;

static int fails(void) {
  if (fail_at < 0) {
    const char *at = getenv("FAIL_AT"), *rest = getenv("FAIL_LATER");
    fail_at = at ? atol(at) : 0;
    later = rest && *rest == '1';
  }
  const long number = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
  const int failed = fail_at > 0 && (number == fail_at || (later && number > fail_at));
  if (failed) errno = ENOMEM;
  return failed;
}

void* malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void* calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void* realloc(void* old, size_t size) { return fails() ? NULL : __libc_realloc(old, size); }
void* aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  if (fails()) return ENOMEM;
  *out = __libc_memalign(alignment, size);
  return *out ? 0 : ENOMEM;
}
