#include "tensor/machine/container.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/scratch_folder.h"

using namespace vitrail;

namespace {

// A file system of a test's own.
struct Root : vitrail::testing::ScratchFolder {
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path full(file(path.substr(1)));
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << text;
  }
  ContainerLimits limits() { return container_limits(path()); }
};

constexpr const char* kVersion2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr const char* kVersion1 =
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n";

}  // namespace

TEST_CASE("where no control group limits, nothing is limited") {
  Root root;
  CHECK(root.limits().memory_bytes == 0);
  CHECK(root.limits().processors == 0);
  root.write("/proc/self/cgroup", "0::/\n");
  root.write("/proc/self/mountinfo", kVersion2);
  root.write("/sys/fs/cgroup/memory.max", "max\n");
  root.write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  CHECK(root.limits().memory_bytes == 0);
  CHECK(root.limits().processors == 0);
}

TEST_CASE("the own group and every group above it decide, version 2") {
  Root root;
  root.write("/proc/self/cgroup", "0::/system.slice/train.service\n");
  root.write("/proc/self/mountinfo", kVersion2);
  root.write("/sys/fs/cgroup/system.slice/train.service/memory.max", "4000000000\n");
  root.write("/sys/fs/cgroup/system.slice/train.service/cpu.max", "max 100000\n");
  root.write("/sys/fs/cgroup/system.slice/memory.max", "3000000000\n");
  root.write("/sys/fs/cgroup/system.slice/cpu.max", "150000 100000\n");
  root.write("/sys/fs/cgroup/other/memory.max", "1000\n");
  CHECK(root.limits().memory_bytes == 3000000000);
  CHECK(root.limits().processors == doctest::Approx(1.5));
}

TEST_CASE("the own group and every group above it decide, version 1") {
  Root root;
  root.write("/proc/self/cgroup", "4:memory:/a/b\n1:cpu,cpuacct:/a\n0::/\n");
  root.write("/proc/self/mountinfo", kVersion1);
  root.write("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  root.write("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "500000000\n");
  root.write("/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n");
  root.write("/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  CHECK(root.limits().memory_bytes == 500000000);
  CHECK(root.limits().processors == doctest::Approx(4));
}

TEST_CASE("a container that sees its own group as the mounted root is read there") {
  Root root;
  root.write("/proc/self/cgroup", "0::/docker/abc\n");
  root.write("/proc/self/mountinfo", "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  root.write("/sys/fs/cgroup/memory.max", "2000000000\n");
  CHECK(root.limits().memory_bytes == 2000000000);
  root.write("/proc/self/mountinfo", "31 23 0:28 /../.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  CHECK(root.limits().memory_bytes == 2000000000);
}

TEST_CASE("damaged files of control groups are no limit") {
  Root root;
  root.write("/proc/self/cgroup", "0::/x\nrubbish\n:\n");
  root.write("/proc/self/mountinfo", std::string("- -\n36 35\n") + kVersion2);
  root.write("/sys/fs/cgroup/x/memory.max", "many\n");
  root.write("/sys/fs/cgroup/x/cpu.max", "1000\n");
  CHECK(root.limits().memory_bytes == 0);
  CHECK(root.limits().processors == 0);
}

TEST_CASE("threads are the processors that the container may use, at least one") {
  CHECK(threads_for({}, 8) == 8);
  CHECK(threads_for({0, 1.5}, 8) == 2);
  CHECK(threads_for({0, 0.2}, 8) == 1);
  CHECK(threads_for({0, 64}, 8) == 8);
}
