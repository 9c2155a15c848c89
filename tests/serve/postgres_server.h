// A PostgreSQL server for the length of a test, in a temporary folder, on a socket in it. Where there is none to be
// found (initdb and pg_ctl on PATH or under /usr/lib/postgresql), url() is empty and why() says so.
#pragma once
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support.h"

namespace madang::test {

class PostgresServer {
 public:
  PostgresServer() {
    why_ = begin();
    if (why_.empty()) url_ = "postgresql:///postgres?user=madang&host=" + folder_.path.string();
  }
  ~PostgresServer() {
    if (!url_.empty()) stop();
  }

  bool start() {
    return run(as_ + bin_ + "pg_ctl -w -D " + data() + " -l " + (folder_ / "log") + " -o \"-k " +
               folder_.path.string() + " -c listen_addresses=''\" start");
  }
  /// As if the power had gone.
  bool stop() { return run(as_ + bin_ + "pg_ctl -w -D " + data() + " -m immediate stop"); }

  const std::string& url() const { return url_; }
  const std::string& why() const { return why_; }

 private:
  /// Why not, or "".
  std::string begin() {
    bin_ = find();
    if (bin_.empty()) return "no initdb and pg_ctl on this machine";
    if (geteuid() == 0) {  // PostgreSQL refuses to run as root
      if (!run("setpriv --version")) return "root without setpriv cannot become another user";
      as_ = "setpriv --reuid=65534 --regid=65534 --clear-groups ";
      if (chown(folder_.path.c_str(), 65534, 65534) != 0) return "cannot give a folder away";
    }
    if (!run(as_ + bin_ + "initdb -D " + data() + " -U madang -A trust -N -E UTF8 --locale=C")) return "initdb failed";
    return start() ? "" : "the server did not start";
  }
  std::string data() const { return folder_ / "data"; }

  static bool run(const std::string& command) {
    return std::system(("cd / && " + command + " >/dev/null 2>&1").c_str()) == 0;
  }
  static std::string find() {
    if (run("initdb --version && pg_ctl --version")) return " ";
    std::error_code ignored;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored))
      if (std::filesystem::exists(version.path() / "bin/initdb")) return version.path().string() + "/bin/";
    return "";
  }

  TemporaryFolder folder_;
  std::string bin_, as_, url_, why_;
};

}  // namespace madang::test
