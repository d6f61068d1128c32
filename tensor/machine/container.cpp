#include "tensor/machine/container.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <vector>

namespace vitrail {
namespace {

// One mounted hierarchy of control groups.
struct Mount {
  bool version2 = false;
  std::string options;      // of version 1: its controllers, as "rw,cpu,cpuacct"
  std::string group, path;  // the group that is mounted, and the folder where
};

// A line of proc(5) mountinfo: "36 35 0:32 /group /sys/fs/cgroup/memory rw shared:1 - cgroup cgroup rw,memory".
std::vector<Mount> cgroup_mounts(const std::string& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string skip, word, type;
    Mount mount;
    words >> skip >> skip >> skip >> mount.group >> mount.path;
    while (words >> word && word != "-") {
    }
    words >> type >> skip >> mount.options;
    if (!words || (type != "cgroup" && type != "cgroup2")) continue;
    mount.version2 = type == "cgroup2";
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

bool has_word(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

// The group of this process in a hierarchy. A line of /proc/self/cgroup: "0::/group" (v2), "4:cpu,cpuacct:/group" (v1).
// Empty if there is none.
std::string own_group(const std::string& root, bool version2, const std::string& controller) {
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (version2 ? controllers.empty() : has_word(controllers, controller)) return line.substr(second + 1);
  }
  return "";
}

// The folders of the process's group and of all groups above it, as far as they are mounted.
std::vector<std::string> group_folders(const std::string& root, bool version2, const std::string& controller) {
  std::vector<std::string> folders;
  const std::string group = own_group(root, version2, controller);
  if (group.empty()) return folders;
  for (const Mount& mount : cgroup_mounts(root)) {
    if (mount.version2 != version2 || (!version2 && !has_word(mount.options, controller))) continue;
    // In a container the mounted group may be the process's own ("/docker/abc" at /sys/fs/cgroup), or named relative to it
    // ("/..").
    std::string below = group;
    if (mount.group != "/") below = group.starts_with(mount.group) ? group.substr(mount.group.size()) : "";
    if (below.find("..") != std::string::npos) below.clear();
    while (true) {
      while (!below.empty() && below.back() == '/') below.pop_back();
      folders.push_back(root + mount.path + below);
      if (below.empty()) break;
      below.erase(below.rfind('/'));
    }
  }
  return folders;
}

// The first number of a file; 0 for "max" and -1, which mean no limit.
double number_in(const std::string& path) {
  std::ifstream file(path);
  double number = 0;
  return file >> number && number > 0 ? number : 0;
}

// The smaller of two limits, where 0 means no limit.
template <class T>
T tighter(T a, T b) {
  return a > 0 && b > 0 ? std::min(a, b) : std::max(a, b);
}

int64_t as_bytes(double number) {
  // Version 1 writes the largest page-aligned number where there is no limit.
  return number >= 9e18 ? 0 : static_cast<int64_t>(number);
}

}  // namespace

ContainerLimits container_limits(const std::string& root) {
  ContainerLimits limits;
  for (const std::string& folder : group_folders(root, true, "")) {
    limits.memory_bytes = tighter(limits.memory_bytes, as_bytes(number_in(folder + "/memory.max")));
    std::ifstream file(folder + "/cpu.max");
    double quota = 0, period = 0;
    if (file >> quota >> period && quota > 0 && period > 0) limits.processors = tighter(limits.processors, quota / period);
  }
  for (const std::string& folder : group_folders(root, false, "memory")) {
    limits.memory_bytes = tighter(limits.memory_bytes, as_bytes(number_in(folder + "/memory.limit_in_bytes")));
  }
  for (const std::string& folder : group_folders(root, false, "cpu")) {
    const double quota = number_in(folder + "/cpu.cfs_quota_us"), period = number_in(folder + "/cpu.cfs_period_us");
    if (quota > 0 && period > 0) limits.processors = tighter(limits.processors, quota / period);
  }
  return limits;
}

int threads_for(const ContainerLimits& limits, int available) {
  if (limits.processors <= 0) return std::max(1, available);
  const double whole = std::min(std::ceil(limits.processors), 1024.0);
  return std::max(1, std::min(available, static_cast<int>(whole)));
}

}  // namespace vitrail
