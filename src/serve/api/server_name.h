// Who works on what several servers could: a name for this process, and whether another's process is gone.
#pragma once
#include <string>

namespace madang {

/// "host namespace/process/random": of every call another one.
std::string server_name();

/// True only for a process of this machine that has ended (or had our own number before us).
bool is_gone(const std::string& server, const std::string& self);

}  // namespace madang
