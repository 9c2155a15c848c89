// Finds a file of the embedded page.
#include "serve/page.h"

#include <algorithm>

namespace madang {

const PageFile* find_page(std::string_view path) {
  const auto files = page_files();
  const auto found = std::ranges::lower_bound(files, path, {}, &PageFile::path);
  return found != files.end() && found->path == path ? &*found : nullptr;
}

}  // namespace madang
