#include "serve/api/server_name.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "serve/http/trace.h"

namespace madang {

std::string server_name() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  // Containers may share a host's name and not its process numbers: those mean something inside one namespace.
  std::error_code ignored;
  const std::string numbers = std::filesystem::read_symlink("/proc/self/ns/pid", ignored).string();
  return std::string(host.data()) + ' ' + numbers + '/' + std::to_string(getpid()) + '/' + random_hex(8);
}

bool is_gone(const std::string& server, const std::string& self) {
  const auto process = [](const std::string& name) { return name.substr(0, name.rfind('/')); };
  const std::string its = process(server), ours = process(self);
  if (its == ours) return true;
  const size_t host = its.rfind('/');
  if (host == std::string::npos || ours.substr(0, ours.rfind('/')) != its.substr(0, host)) return false;
  pid_t id = 0;
  const char* end = its.data() + its.size();
  if (std::from_chars(its.data() + host + 1, end, id).ptr != end || id <= 0) return false;
  return kill(id, 0) != 0 && errno == ESRCH;
}

}  // namespace madang
