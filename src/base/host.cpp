#include "base/host.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

namespace madang {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

// The whole number a text begins with; 0 if there is none.
int64_t number(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "0-3,8" as Linux writes sets of processors.
std::set<int> processors_in(const std::string& list) {
  // More than any machine has: a list that names more is no list of processors.
  constexpr int64_t most = 1 << 16;
  std::set<int> all;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) {
    const size_t dash = part.find('-');
    const int64_t first = number(part), last = dash == std::string::npos ? first : number(part.substr(dash + 1));
    if (!part.empty() && first >= 0 && last < most)
      for (int64_t i = first; i <= last; ++i) all.insert(static_cast<int>(i));
  }
  return all;
}

std::vector<Cache> caches_of(const std::string& processor) {
  std::vector<Cache> all;
  for (int index = 0;; ++index) {
    const std::string folder = processor + "/cache/index" + std::to_string(index);
    Cache cache{.level = static_cast<int>(number(first_line(folder + "/level"))),
                .type = first_line(folder + "/type"),
                .bytes = number(first_line(folder + "/size")) << 10,  // "48K"
                .shared = static_cast<int>(processors_in(first_line(folder + "/shared_cpu_list")).size())};
    if (cache.level == 0) break;
    all.push_back(std::move(cache));
  }
  return all;
}

// One control group: where its files may lie, of the two versions.
struct Group {
  bool second = false;
  std::string mount, path;
};

// Lines of /proc/self/cgroup: "4:memory:/path" (version 1), "0::/path" (version 2). See cgroups(7).
std::vector<Group> groups_with(const std::string& root, const std::string& controller) {
  std::vector<Group> all;
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t one = line.find(':'), two = line.find(':', one + 1);
    if (two == std::string::npos) continue;
    const std::string names = line.substr(one + 1, two - one - 1), path = line.substr(two + 1);
    if (names.empty()) {
      all.push_back({true, root + "/sys/fs/cgroup", path});
      all.push_back({true, root + "/sys/fs/cgroup/unified", path});  // beside version 1
    } else if ((',' + names + ',').find(',' + controller + ',') != std::string::npos) {
      all.push_back({false, root + "/sys/fs/cgroup/" + names, path});
      if (names != controller) all.push_back({false, root + "/sys/fs/cgroup/" + controller, path});
    }
  }
  return all;
}

// Calls look(folder) for a group's folder and those of its parents. Inside a container the path may name a group of
// the outside: what does not exist says nothing.
template <class Look>
void up_from(const Group& group, Look&& look) {
  for (std::string path = group.path;; path.resize(path.rfind('/'))) {
    while (path.ends_with('/')) path.pop_back();
    look(group.mount + path);
    if (path.rfind('/') == std::string::npos) return;
  }
}

double time_limit(const std::string& root) {
  double least = 0;
  auto limit = [&](double quota, double period) {
    if (quota > 0 && period > 0) least = least > 0 ? std::min(least, quota / period) : quota / period;
  };
  for (const Group& group : groups_with(root, "cpu"))
    up_from(group, [&](const std::string& folder) {
      if (group.second) {
        std::ifstream in(folder + "/cpu.max");  // "quota period" in microseconds, or "max period"
        double quota = 0, period = 0;
        if (in >> quota >> period) limit(quota, period);
      } else {
        limit(static_cast<double>(number(first_line(folder + "/cpu.cfs_quota_us"))),  // -1: none
              static_cast<double>(number(first_line(folder + "/cpu.cfs_period_us"))));
      }
    });
  return least;
}

int64_t memory_limit(const std::string& root, int64_t memory) {
  int64_t least = memory;
  for (const Group& group : groups_with(root, "memory"))
    up_from(group, [&](const std::string& folder) {
      const int64_t bytes = number(first_line(folder + (group.second ? "/memory.max" : "/memory.limit_in_bytes")));
      if (bytes > 0) least = std::min(least, bytes);
    });
  return least < memory ? least : 0;
}

}  // namespace

int Host::usable() const {
  int n = allowed;
  if (group_processors > 0) n = std::min(n, static_cast<int>(group_processors));
  return std::max(n, 1);
}

Host Host::detect(const std::string& root) {
  Host host;
  const std::string folder = root + "/sys/devices/system/cpu";
  std::set<int> online = processors_in(first_line(folder + "/online"));
  if (online.empty())
    for (int i = 0; i < static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)); ++i) online.insert(i);
  cpu_set_t mask;
  const bool masked = root.empty() && sched_getaffinity(0, sizeof mask, &mask) == 0;
  std::set<std::pair<int64_t, int64_t>> cores;  // package, core
  for (int i : online) {
    if (masked && (i >= CPU_SETSIZE || !CPU_ISSET(i, &mask))) continue;
    ++host.allowed;
    const std::string topology = folder + "/cpu" + std::to_string(i) + "/topology";
    const std::string core = first_line(topology + "/core_id");
    if (!core.empty()) cores.emplace(number(first_line(topology + "/physical_package_id")), number(core));
  }
  host.processors = static_cast<int>(online.size());
  host.cores = static_cast<int>(cores.size());
  host.caches = caches_of(folder + "/cpu" + std::to_string(online.empty() ? 0 : *online.begin()));
  host.memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  host.group_processors = time_limit(root);
  host.group_memory = memory_limit(root, host.memory);
  return host;
}

}  // namespace madang
