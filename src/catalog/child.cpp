#include "catalog/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

namespace madang {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

// What the child sees: the given values, then all of ours that they do not replace.
std::vector<std::string> merged_environment(const std::vector<std::string>& given) {
  std::vector<std::string> out = given;
  for (char** own = environ; own && *own; ++own) {
    std::string_view line = *own;
    std::string_view name = line.substr(0, line.find('='));
    bool replaced = std::any_of(given.begin(), given.end(), [&](const std::string& other) {
      return other.size() > name.size() && other.starts_with(name) && other[name.size()] == '=';
    });
    if (!replaced) out.emplace_back(line);
  }
  return out;
}

pid_t start(const Child& child) {
  std::vector<std::string> words = child.words, environment = merged_environment(child.environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, child.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  if (posix_spawn(&pid, words[0].c_str(), &actions, nullptr, pointers(words).data(), pointers(environment).data()))
    pid = -1;
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// Ends the child when the watch over it ends, whatever way it ends.
struct Guard {
  pid_t pid;
  bool ended = false;
  ~Guard() {
    if (ended) return;
    kill(pid, SIGTERM);
    for (int i = 0; i < 20 && waitpid(pid, nullptr, WNOHANG) == 0; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (kill(pid, 0) == 0) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
};

}  // namespace

int run_child(const Child& child, const std::function<bool()>& alive) {
  pid_t pid = start(child);
  if (pid < 0) return 127;
  Guard guard{pid};
  for (auto next_look = std::chrono::steady_clock::now();;) {
    int status = 0;
    pid_t got = waitpid(pid, &status, WNOHANG);
    if (got == pid || (got < 0 && errno != EINTR)) {
      guard.ended = true;
      return got < 0 ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    auto now = std::chrono::steady_clock::now();
    if (alive && now >= next_look) {
      if (!alive()) return 128 + SIGTERM;
      next_look = now + std::chrono::milliseconds(100);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::filesystem::path find_program(std::string_view name, std::string_view search_path) {
  while (!search_path.empty()) {
    size_t end = std::min(search_path.find(':'), search_path.size());
    std::filesystem::path path = std::filesystem::path(search_path.substr(0, end)) / name;
    search_path.remove_prefix(std::min(end + 1, search_path.size()));
    std::error_code fault;
    if (path.is_absolute() && std::filesystem::is_regular_file(path, fault) && access(path.c_str(), X_OK) == 0)
      return path;
  }
  return {};
}

}  // namespace madang
