// The ladder of the tokenizers: what each rung of encoding costs, in MB/s of text on one thread.
//   bench_tokenize TEXT TOKENIZER...     (tokenizer.json, tokenizer.model, *.tiktoken, ...)
// Rungs: checking UTF-8, cutting with the matcher written by hand, the same with PCRE2, encoding, decoding; and the
// milliseconds that opening takes. The best of several runs counts: the machine's noise only adds.
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/error.h"
#include "engine/checkpoint.h"
#include "text/splitter.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace {

using namespace madang;

double best_seconds(const std::function<void()>& work) {
  double best = 1e9, total = 0;
  for (int run = 0; run < 30 && total < 2; ++run) {
    auto start = std::chrono::steady_clock::now();
    work();
    double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, took);
    total += took;
  }
  return best;
}

size_t cut(const Splitter& splitter, const std::string& text) {
  Pattern::Scratch scratch;
  size_t words = 0;
  for (size_t at = 0; at < text.size(); ++words) at = splitter.next(text, at, scratch);
  return words;
}

void rung(const std::string& name, size_t bytes, const std::function<void()>& work) {
  fmt::print("{:<52} {:8.1f} MB/s\n", name, static_cast<double>(bytes) / 1e6 / best_seconds(work));
}

void measure(const std::string& text, const std::string& path) {
  auto tokenizer = open_tokenizer(path);
  fmt::print("\n{} ({}, {} tokens)\n", path, tokenizer->kind(), tokenizer->size());
  fmt::print("{:<52} {:8.1f} ms\n", "open", 1e3 * best_seconds([&] { open_tokenizer(path); }));
  std::vector<int32_t> ids;
  rung("encode", text.size(), [&] { ids = tokenizer->encode(text, false); });
  rung("encode, special tokens parsed", text.size(), [&] { tokenizer->encode(text, true); });
  std::string back;
  rung("decode", text.size(), [&] { back = tokenizer->decode(ids); });
  fmt::print("{:<52} {:8.2f}{}\n", "bytes a token", static_cast<double>(text.size()) / static_cast<double>(ids.size()),
             back == text ? "" : " (decodes to another text)");
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    fmt::print("usage: bench_tokenize TEXT TOKENIZER...\n");
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  std::string text = content.str();
  fmt::print("{}: {:.1f} MB\n", argv[1], static_cast<double>(text.size()) / 1e6);
  rung("check UTF-8", text.size(), [&] { is_valid_utf8(text); });
  for (const std::string& expression : handmade_expressions()) {
    auto by_hand = make_splitter(expression, Dialect::rust, "bench");
    auto by_pcre2 = make_pattern_splitter(expression, Dialect::rust, "bench");
    std::string shown = expression.substr(0, 34) + "...";
    rung("cut by hand " + shown, text.size(), [&] { cut(*by_hand, text); });
    rung("cut by PCRE2 " + shown, text.size(), [&] { cut(*by_pcre2, text); });
  }
  for (int i = 2; i < argc; ++i) measure(text, argv[i]);
} catch (const madang::Error& fault) {
  fmt::print(stderr, "{}\n", fault.render(madang::Language::english));
  return 1;
}
