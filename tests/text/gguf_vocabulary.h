// The tokenizer's part of a GGUF file's metadata, for tests of this floor alone (the store is above it).
#pragma once
#include <cstring>
#include <string>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "text/tokenizer.h"

namespace madang::test {

class GgufVocabularyReader {
 public:
  explicit GgufVocabularyReader(const std::string& path) : file_(MappedFile::open(path)), path_(path) {}

  Vocabulary read() {
    at_ = 4 + 4 + 8;  // magic, version, tensors
    auto count = take<uint64_t>();
    out_.where = path_;
    for (uint64_t i = 0; i < count; ++i) {
      std::string key = text();
      value(key, take<uint32_t>());
    }
    return std::move(out_);
  }

 private:
  template <class T>
  T take() {
    T v;
    auto bytes = file_->bytes();
    if (at_ + sizeof(T) > bytes.size()) throw std::runtime_error("gguf ends");
    std::memcpy(&v, bytes.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return v;
  }
  std::string text() {
    auto size = take<uint64_t>();
    std::string s(reinterpret_cast<const char*>(file_->bytes().data()) + at_, size);
    at_ += size;
    return s;
  }
  int64_t number(uint32_t type) {
    switch (type) {
      case 0:
      case 7:
        return take<uint8_t>();
      case 1:
        return take<int8_t>();
      case 2:
        return take<uint16_t>();
      case 3:
        return take<int16_t>();
      case 4:
        return take<uint32_t>();
      case 5:
        return take<int32_t>();
      case 6:
        return static_cast<int64_t>(take<float>());
      default:
        return take<int64_t>();
    }
  }
  void value(const std::string& full, uint32_t type) {
    bool ours = full.starts_with("tokenizer.ggml.");
    std::string key = ours ? full.substr(15) : full;
    if (type == 8) {
      std::string s = text();
      if (key == "model")
        out_.model = s;
      else if (key == "pre")
        out_.pre = s;
      else if (key == "general.name")
        out_.name = s;
    } else if (type == 9) {
      array(key);
    } else {
      int64_t v = number(type);
      auto id = static_cast<int32_t>(v);
      if (key == "bos_token_id")
        out_.bos = id;
      else if (key == "eos_token_id")
        out_.eos = id;
      else if (key == "unknown_token_id")
        out_.unk = id;
      else if (key == "padding_token_id")
        out_.pad = id;
      else if (key == "add_space_prefix")
        out_.add_space_prefix = v != 0;
      else if (key == "add_bos_token")
        out_.add_bos = v != 0;
    }
  }
  void array(const std::string& key) {
    auto type = take<uint32_t>();
    auto count = take<uint64_t>();
    for (uint64_t i = 0; i < count; ++i) {
      if (type == 8) {
        std::string s = text();
        if (key == "tokens")
          out_.tokens.push_back(std::move(s));
        else if (key == "merges")
          out_.merges.push_back(std::move(s));
      } else if (type == 6) {
        float f = take<float>();
        if (key == "scores") out_.scores.push_back(f);
      } else {
        auto n = static_cast<int32_t>(number(type));
        if (key == "token_type") out_.types.push_back(n);
      }
    }
  }

  std::shared_ptr<const MappedFile> file_;
  std::string path_;
  size_t at_ = 0;
  Vocabulary out_;
};

}  // namespace madang::test
