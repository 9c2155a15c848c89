// One file on its way into the database, piece by piece, within a transaction.
#pragma once
#include <string>
#include <string_view>

#include "serve/store/database.h"
#include "serve/store/store.h"

namespace madang {

class FileWriter {
 public:
  FileWriter(Statements& statements, const std::string& client, const StoredFile& file);
  void write(std::string_view bytes);
  int64_t finish();  ///< its size

 private:
  void flush();

  Statements& statements_;
  std::string id_, held_;
  int64_t part_ = 0, size_ = 0;
};

}  // namespace madang
