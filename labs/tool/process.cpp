#include "labs/tool/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "base/error.h"

namespace vitrail::labs {
namespace {

constexpr int kTicketDescriptor = 197, kResultsDescriptor = 198;
constexpr size_t kMaxOutput = 4u << 20;

struct Pipe {
  int read = -1, write = -1;
  Pipe() {
    int ends[2];
    check(pipe2(ends, O_CLOEXEC) == 0, ErrorKind::kIo, "labs", "no pipe: ", std::strerror(errno));
    read = ends[0], write = ends[1];
  }
  ~Pipe() { close_read(), close_write(); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void close_read() {
    if (read >= 0) close(read);
    read = -1;
  }
  void close_write() {
    if (write >= 0) close(write);
    write = -1;
  }
};

void limit(int what, rlim_t value) {
  const rlimit both{value, value};
  setrlimit(static_cast<__rlimit_resource_t>(what), &both);
}

// What the child does before the command takes over. No memory is taken here: another thread may hold malloc's lock.
[[noreturn]] void become(char* const* words, const Limits& limits, int output, int ticket, int results) {
  const int null = open("/dev/null", O_RDONLY);
  dup2(null, 0), dup2(output, 1), dup2(output, 2);
  if (ticket >= 0) {  // by way of higher numbers: either may have the other's number already
    const int high_ticket = fcntl(ticket, F_DUPFD, kResultsDescriptor + 1),
              high_results = fcntl(results, F_DUPFD, kResultsDescriptor + 1);
    dup2(high_ticket, kTicketDescriptor), dup2(high_results, kResultsDescriptor);
  }
  for (int fd = 3; fd < 1024; ++fd) {
    if (ticket < 0 || (fd != kTicketDescriptor && fd != kResultsDescriptor)) close(fd);
  }
  if (limits.cpu_seconds > 0) {
    const rlimit seconds{static_cast<rlim_t>(limits.cpu_seconds), static_cast<rlim_t>(limits.cpu_seconds) + 1};
    setrlimit(RLIMIT_CPU, &seconds);
    limit(RLIMIT_CORE, 0), limit(RLIMIT_FSIZE, rlim_t{64} << 20);
  }
  if (limits.data_bytes > 0) limit(RLIMIT_DATA, static_cast<rlim_t>(limits.data_bytes));
  if (limits.stack_bytes > 0) limit(RLIMIT_STACK, static_cast<rlim_t>(limits.stack_bytes));
  execvp(words[0], words);
  _exit(127);
}

// Reads what is there; false once the other end is closed.
bool drain(int fd, std::string& to) {
  char buffer[65536];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n > 0 && to.size() < kMaxOutput) to.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

std::mutex children_mutex;
std::set<pid_t> running_children;  // those of run(), in all threads

// Kills the children of this process that no run() waits for: what a command left behind.
void kill_orphans() {
  const std::lock_guard<std::mutex> lock(children_mutex);
  for (int round = 0; round < 50; ++round) {
    bool found = false;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const std::string name = entry.path().filename().string();
      if (name.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream stat(entry.path() / "stat");
      std::string text;
      std::getline(stat, text);
      const size_t after_name = text.rfind(')');
      if (after_name == std::string::npos) continue;
      const pid_t pid = std::atoi(name.c_str()), parent = std::atoi(text.c_str() + after_name + 4);
      if (parent != getpid() || running_children.count(pid) > 0) continue;
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
      found = true;
    }
    if (!found) return;
  }
}

void forget_child(pid_t child) {
  const std::lock_guard<std::mutex> lock(children_mutex);
  running_children.erase(child);
}

// Collects output and results until the child is dead and nobody writes any more, or the time is over. used: the processor time
// that it took.
int watch(pid_t child, int output, int results, const Limits& limits, double start, Ran& ran, double& used) {
  pollfd fds[2] = {{output, POLLIN, 0}, {results, POLLIN, 0}};
  int status = 0;
  for (bool dead = false; !dead || fds[0].fd >= 0 || fds[1].fd >= 0;) {
    // A program closes its descriptors an instant before it is dead: then there is nothing to wait for but that.
    const bool closed = fds[0].fd < 0 && fds[1].fd < 0;
    const int ready = poll(fds, 2, closed ? 1 : 20);
    for (int k = 0; k < 2; ++k) {
      if (fds[k].fd >= 0 && (fds[k].revents & (POLLIN | POLLHUP | POLLERR)) &&
          !drain(fds[k].fd, k == 0 ? ran.output : ran.results))
        fds[k].fd = -1;
    }
    rusage usage{};
    if (!dead && wait4(child, &status, WNOHANG, &usage) == child) {
      dead = true;
      used = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
      kill(-child, SIGKILL);  // what it left behind
    } else if (dead && ready == 0) {
      break;  // another process holds the pipe
    }
    if (!dead && limits.wall_seconds > 0 && seconds_now() - start > limits.wall_seconds) {
      ran.out_of_time = true;
      kill(-child, SIGKILL), kill(child, SIGKILL);
    }
  }
  return status;
}

}  // namespace

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void adopt_orphans() { prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

Ran run(const std::vector<std::string>& command, const Limits& limits, const std::string& ticket) {
  Pipe output, results, ticket_pipe;
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  const double start = seconds_now();
  pid_t child;
  {
    const std::lock_guard<std::mutex> lock(children_mutex);
    child = fork();
    if (child == 0) {
      setpgid(0, 0);  // a confined process may not: then only the parent's call below would count, if it came before exec
      if (limits.confined) confine();
      become(words.data(), limits, output.write, ticket.empty() ? -1 : ticket_pipe.read, results.write);
    }
    check(child > 0, ErrorKind::kIo, "labs", "no process: ", std::strerror(errno));
    running_children.insert(child);
  }
  setpgid(child, child);
  output.close_write(), results.close_write(), ticket_pipe.close_read();
  if (!ticket.empty() && write(ticket_pipe.write, ticket.data(), ticket.size()) < 0) kill(child, SIGKILL);
  ticket_pipe.close_write();
  Ran ran;
  double used = 0;
  const int status = watch(child, output.read, results.read, limits, start, ran, used);
  forget_child(child);
  kill_orphans();
  ran.seconds = seconds_now() - start;
  ran.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  // The limit ends a process by SIGXCPU, and one that ignores it by SIGKILL a second later; others may kill, too.
  const bool cpu_over = ran.status == 128 + SIGXCPU || (ran.status == 128 + SIGKILL && used >= limits.cpu_seconds);
  ran.out_of_time = ran.out_of_time || (limits.cpu_seconds > 0 && cpu_over);
  return ran;
}

}  // namespace vitrail::labs
