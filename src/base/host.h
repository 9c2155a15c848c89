// The machine around the processor: how many processors and caches there are, and how much of them this process may
// use. Read from Linux' /proc and /sys; what they do not tell is 0 or left out, never guessed.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace madang {

struct Cache {
  int level = 0;
  std::string type;   ///< "Data", "Instruction", "Unified"
  int64_t bytes = 0;  ///< of one of them
  int shared = 0;     ///< by so many logical processors
};

struct Host {
  int processors = 0;         ///< logical ones that are online
  int allowed = 0;            ///< of these, the ones this process may run on (sched_setaffinity, cpuset)
  int cores = 0;              ///< that carry the allowed ones
  std::vector<Cache> caches;  ///< of the first processor, nearest first
  int64_t memory = 0;         ///< bytes
  // Limits of the control groups this process is in, theirs and their parents', versions 1 and 2; 0: none.
  double group_processors = 0;  ///< processors' worth of time
  int64_t group_memory = 0;     ///< bytes, if less than there is

  /// Threads that can run at the same time: at least 1.
  int usable() const;

  /// `root` stands before /proc and /sys: tests have their own.
  static Host detect(const std::string& root = "");
};

}  // namespace madang
