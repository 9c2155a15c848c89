// Chat templates: the text a model is prompted with, written by its authors in the Jinja language and shipped with
// it. The language is Jinja 3.1 as transformers runs it: an immutable sandbox with trim_blocks, lstrip_blocks,
// break and continue, {% generation %}, and the functions raise_exception and strftime_now.
// A template is untrusted code. It can read its variables and nothing else, and every render is bounded in steps,
// output and depth. Other templates (include, import, extends) are refused: a model ships one file.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace madang {

/// Bounds and surroundings of one render. A bound that is met is Kind::limit.
struct RenderOptions {
  /// What strftime_now shows; without it, the machine's clock and time zone.
  std::optional<std::chrono::local_seconds> now;
  /// One step is one expression or statement, one element made or compared, or 16 bytes of text made. A long chat
  /// with tools takes about 10^5; 2 * 10^7 is one or two seconds.
  uint64_t steps = 20'000'000;
  /// The longest text, in bytes; also of every text made on the way. 64 MiB is some 16 million tokens.
  size_t output_bytes = size_t{64} << 20;
  /// Nested evaluation: expressions, blocks and macro calls. Python gives up near 300 macros, which is near this.
  int depth = 1200;
};

/// "2026-03-09", "2026-03-09T14:05:06" or with a blank instead of T. Throws Kind::usage.
std::chrono::local_seconds parse_local_time(std::string_view text);

namespace jinja {
struct Program;
}

class ChatTemplate {
 public:
  /// Parses. Throws Kind::format (bad syntax, unknown filter) with `name` and the line as place.
  explicit ChatTemplate(std::string_view source, std::string name = "");

  /// The rendered text. `variables` is an object whose keys are the template's variables (messages, tools,
  /// add_generation_prompt, bos_token ...).
  /// Throws Kind::refused with exactly the template's own words where it calls raise_exception,
  /// Kind::mismatch where template and variables do not agree (undefined used, wrong types, unsafe access),
  /// Kind::unsupported (include, import, extends), Kind::limit. Safe to call from many threads at once.
  std::string render(const Json& variables, const RenderOptions& options = {}) const;

 private:
  std::shared_ptr<const jinja::Program> program_;
};

}  // namespace madang
