// Files that come whole or not at all: what stands under the name and beside it after each kind of end.
#include "base/disk.h"

#include <limits>

#include "base/error.h"
#include "base/new_folder.h"
#include "full_disk.h"
#include "support.h"

namespace madang {
namespace {

namespace fs = std::filesystem;

Kind kind_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& fault) {
    return fault.kind();
  }
  return Kind::internal;
}

TEST(Disk, AFileComesWholeOrNotAtAll) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "file";
  write_whole(path, "old");
  const auto alone = [&] { return std::distance(fs::directory_iterator(folder.path), {}) == 1; };
  {
    NewFile file(path);
    file.append(std::span<const char>(std::string_view("new")));
    EXPECT_EQ(test::read_text(path), "old");
    EXPECT_EQ(test::read_text(file.part()), "new");
  }
  EXPECT_EQ(test::read_text(path), "old");
  EXPECT_TRUE(alone());
  write_whole(path, "new");
  EXPECT_EQ(test::read_text(path), "new");
  EXPECT_TRUE(alone());
}

TEST(Disk, TwoDoNotWriteOneFile) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "file";
  NewFile first(path);
  first.append(std::span<const char>(std::string_view("first")));
  EXPECT_EQ(kind_of([&] { write_whole(path, "second"); }), Kind::io);
  first.finish();
  EXPECT_EQ(test::read_text(path), "first");
  write_whole(path, "second");  // the first still holds what had its name before
  EXPECT_EQ(test::read_text(path), "second");
}

TEST(Disk, ALinkStaysOne) {
  const test::TemporaryFolder folder;
  write_whole(folder / "file", "old");
  fs::create_symlink("file", folder / "link");
  write_whole(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(test::read_text(folder / "file"), "new");
}

TEST(Disk, AFullOneIsALimitAndKeepsWhatWasThere) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "file";
  write_whole(path, "old");
  {
    const test::FullDisk full(1000);
    EXPECT_EQ(kind_of([&] { write_whole(path, std::string(2000, 'x')); }), Kind::limit);
  }
  EXPECT_EQ(test::read_text(path), "old");
  EXPECT_FALSE(fs::exists(path + ".part"));
  NewFile file(path);
  EXPECT_EQ(kind_of([&] { file.need(std::numeric_limits<int64_t>::max()); }), Kind::limit);  // before a byte is written
}

TEST(Disk, WhatIsInTheWayIsToldBeforeThereIsWorkToLose) {
  const test::TemporaryFolder folder;
  write_whole(folder / "file", "");
  fs::create_directory(folder / "folder");
  for (const std::string& path : {folder / "folder", folder / "folder/", folder / "file/below", folder / "none/below"})
    EXPECT_EQ(kind_of([&] { NewFile file(path); }), Kind::io) << path;
  EXPECT_EQ(kind_of([&] { NewFile file("/dev/null"); }), Kind::io);
  EXPECT_TRUE(fs::is_empty(folder / "folder"));
}

TEST(Disk, AFolderLosesWhatIsOutdatedAlone) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "model";
  fs::create_directory(path);
  for (const char* name : {"a.old", "b.old", "note"}) write_whole(fs::path(path) / name, "before");
  {
    NewFolder dropped(path);
    write_whole(fs::path(dropped.draft()) / "a.old", "after");
  }
  EXPECT_EQ(test::read_text(path + "/a.old"), "before");
  NewFolder made(path);
  write_whole(fs::path(made.draft()) / "a.old", "after");
  made.finish([](std::string_view name) { return name.ends_with(".old"); });
  EXPECT_EQ(test::read_text(path + "/a.old"), "after");
  EXPECT_FALSE(fs::exists(path + "/b.old"));
  EXPECT_EQ(test::read_text(path + "/note"), "before");
}

}  // namespace
}  // namespace madang
