#include "base/new_folder.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/error.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

void require(const std::error_code& fault, const std::string& path) {
  if (fault) throw Error(Kind::io, say("cannot make the folder: {}", fault.message())).at(path);
}

}  // namespace

NewFolder::NewFolder(const std::string& path) : path_((fs::path(path) / "").lexically_normal().parent_path().string()) {
  std::error_code fault;
  if (const fs::path parent = fs::path(path_).parent_path(); !parent.empty()) fs::create_directories(parent, fault);
  require(fault, path);
  if (fs::exists(path_, fault) && !fs::is_directory(path_, fault))
    require(std::make_error_code(std::errc::not_a_directory), path);
  draft_ = path_ + ".XXXXXX";
  if (!mkdtemp(draft_.data())) require(std::error_code(errno, std::generic_category()), path);
}

NewFolder::~NewFolder() {
  std::error_code ignored;
  fs::remove_all(draft_, ignored);
}

void NewFolder::finish(const std::function<bool(std::string_view)>& outdated) {
  std::error_code fault;
  fs::create_directories(path_, fault);
  require(fault, path_);
  std::set<std::string> moved;
  for (const auto& entry : fs::directory_iterator(draft_)) {
    moved.insert(entry.path().filename().string());
    fs::rename(entry.path(), fs::path(path_) / entry.path().filename(), fault);
    require(fault, path_);
  }
  if (!outdated) return;
  for (const auto& entry : fs::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    if (moved.contains(name) || !outdated(name)) continue;
    fs::remove(entry.path(), fault);
    require(fault, path_);
  }
}

}  // namespace madang
