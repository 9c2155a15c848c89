// A file as bytes, mapped and never read whole. Refuses folders and what is not a regular file.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace madang {

class MappedFile {
 public:
  /// Throws Kind::missing or Kind::io with the path.
  static std::shared_ptr<const MappedFile> open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const uint8_t> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }
  /// Brings all of it into memory, so that nobody waits for the disk later. The kernel may still let it go.
  void warm() const;
  /// Tells the kernel that a range was copied elsewhere and its pages may go (rounded inwards to pages).
  void release(std::span<const uint8_t> range) const;

 private:
  MappedFile() = default;
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace madang
