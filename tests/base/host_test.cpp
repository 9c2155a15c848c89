// What the machine around the processor tells, read from a made-up /proc and /sys.
#include "base/host.h"

#include "base/cpu.h"
#include "support.h"

namespace madang {
namespace {

void put(const test::TemporaryFolder& root, const std::string& path, const std::string& text) {
  const std::filesystem::path file = root.path / path;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text << '\n';
}

TEST(Host, CountsProcessorsCoresAndCaches) {
  test::TemporaryFolder root;
  const std::string cpu = "sys/devices/system/cpu/";
  put(root, cpu + "online", "0-2,5");
  const std::vector<std::pair<int, int>> cores{{0, 0}, {1, 0}, {2, 1}, {5, 1}};
  for (auto [i, core] : cores) {
    put(root, cpu + "cpu" + std::to_string(i) + "/topology/core_id", std::to_string(core));
    put(root, cpu + "cpu" + std::to_string(i) + "/topology/physical_package_id", "0");
  }
  put(root, cpu + "cpu0/cache/index0/level", "1");
  put(root, cpu + "cpu0/cache/index0/type", "Data");
  put(root, cpu + "cpu0/cache/index0/size", "48K");
  put(root, cpu + "cpu0/cache/index0/shared_cpu_list", "0-1");
  const Host host = Host::detect(root.path.string());
  EXPECT_EQ(host.processors, 4);
  EXPECT_EQ(host.allowed, 4);
  EXPECT_EQ(host.cores, 2);
  ASSERT_EQ(host.caches.size(), 1u);
  EXPECT_EQ(host.caches[0].bytes, 48 << 10);
  EXPECT_EQ(host.caches[0].shared, 2);
  EXPECT_EQ(host.group_processors, 0);
  EXPECT_EQ(host.group_memory, 0);
  EXPECT_EQ(host.usable(), 4);
}

TEST(Host, TheTightestGroupOfEitherVersionCounts) {
  test::TemporaryFolder second;
  put(second, "sys/devices/system/cpu/online", "0-7");
  put(second, "proc/self/cgroup", "0::/a/b");
  put(second, "sys/fs/cgroup/a/b/cpu.max", "max 100000");
  put(second, "sys/fs/cgroup/a/cpu.max", "250000 100000");
  put(second, "sys/fs/cgroup/a/memory.max", "1000000");
  put(second, "sys/fs/cgroup/memory.max", "max");
  Host host = Host::detect(second.path.string());
  EXPECT_EQ(host.group_processors, 2.5);
  EXPECT_EQ(host.usable(), 2);
  EXPECT_EQ(host.group_memory, 1000000);

  test::TemporaryFolder first;
  put(first, "sys/devices/system/cpu/online", "0-7");
  put(first, "proc/self/cgroup", "5:cpu,cpuacct:/box\n4:memory:/outside/of/here");
  put(first, "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "50000");
  put(first, "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000");
  put(first, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1");
  put(first, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");  // none, as version 1 writes it
  host = Host::detect(first.path.string());
  EXPECT_EQ(host.group_processors, 0.5);
  EXPECT_EQ(host.usable(), 1);  // a thread there is always
  EXPECT_EQ(host.group_memory, 0);
}

TEST(Host, NonsenseIsNoLimit) {
  test::TemporaryFolder root;
  put(root, "sys/devices/system/cpu/online", "0-99999999999,x,-");
  put(root, "proc/self/cgroup", "no colons\n0::\n::");
  put(root, "sys/fs/cgroup/cpu.max", "soon");
  const Host host = Host::detect(root.path.string());
  EXPECT_EQ(host.group_processors, 0);
  EXPECT_GE(host.usable(), 1);
}

TEST(Cpu, GrantsNothingThatIsNotThere) {
  const Cpu cpu = Cpu::detect();
  for (const CpuFeature& f : cpu.features) EXPECT_LE(f.granted, f.present) << f.name;
  EXPECT_GE(Host::detect().processors, Host::detect().allowed);
  EXPECT_GE(Host::detect().allowed, 1);
}

}  // namespace
}  // namespace madang
