// A seccomp filter (seccomp(2), "Filter mode"): system calls are looked at by number, and where a flag decides, by that flag.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "labs/tool/process.h"

namespace vitrail::labs {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned kArchitecture = 0;
#endif

constexpr unsigned kAllow = SECCOMP_RET_ALLOW, kDeny = SECCOMP_RET_ERRNO | EPERM, kUnknown = SECCOMP_RET_ERRNO | ENOSYS;

using Filter = std::vector<sock_filter>;

sock_filter load(unsigned offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
sock_filter answer(unsigned value) { return BPF_STMT(BPF_RET | BPF_K, value); }
unsigned argument(int i) {
  return static_cast<unsigned>(offsetof(seccomp_data, args) + 8 * static_cast<size_t>(i));
}  // its low word

// If the number of the system call is `call`, the answer is `value`.
void refuse(Filter& filter, long call, unsigned value = kDeny) {
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
  filter.push_back(answer(value));
}

// If it is `call`, it is allowed only if (argument i & mask) is `wanted`.
void allow_if(Filter& filter, long call, int i, unsigned mask, unsigned wanted) {
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 5));
  filter.push_back(load(argument(i)));
  filter.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, wanted, 0, 1));
  filter.push_back(answer(kAllow));
  filter.push_back(answer(kDeny));
}

Filter filter_of_calls() {
  Filter filter;
  filter.push_back(load(offsetof(seccomp_data, arch)));
  filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0));
  filter.push_back(answer(kDeny));
  filter.push_back(load(offsetof(seccomp_data, nr)));
  const unsigned writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
  allow_if(filter, __NR_openat, 2, writes, 0);
  allow_if(filter, __NR_clone, 0, CLONE_THREAD, CLONE_THREAD);
  for (const long call : {__NR_clone3, __NR_openat2})
    refuse(filter, call, kUnknown);  // their flags lie in memory; glibc then takes the older call
#if defined(__x86_64__)
  allow_if(filter, __NR_open, 1, writes, 0);
  for (const long call : {__NR_fork, __NR_vfork, __NR_creat, __NR_unlink, __NR_rename, __NR_mkdir, __NR_rmdir, __NR_link,
                          __NR_symlink, __NR_chmod, __NR_chown, __NR_mknod, __NR_utime, __NR_utimes})
    refuse(filter, call);
#endif
  for (const long call :
       {__NR_unlinkat, __NR_renameat, __NR_renameat2, __NR_mkdirat,  __NR_linkat, __NR_symlinkat, __NR_fchmodat,
        __NR_fchownat, __NR_mknodat,  __NR_utimensat, __NR_truncate, __NR_socket, __NR_ptrace,    __NR_process_vm_writev,
        __NR_kill,     __NR_tkill,    __NR_setsid,    __NR_setpgid,  __NR_shmget, __NR_msgget,    __NR_semget,
        __NR_mq_open})
    refuse(filter, call);
  filter.push_back(answer(kAllow));
  return filter;
}

const Filter kFilter = filter_of_calls();  // made before any fork: a child of a program with threads must not take memory

}  // namespace

void confine() {
  if (kArchitecture == 0) return;
  sock_fprog program{static_cast<unsigned short>(kFilter.size()), const_cast<sock_filter*>(kFilter.data())};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return;
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

}  // namespace vitrail::labs
