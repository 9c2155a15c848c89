// Any bytes as a template: an answer or a typed error, never a crash, a hang or a leak.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace madang;
  static const Json variables = Json::parse(
      R"({"messages": [{"role": "user", "content": "a<b>&"}, {"role": "assistant", "content": null, "n": 1.5}],
          "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}], "x": "한국", "n": 3})");
  RenderOptions options;
  options.now = parse_local_time("2026-03-09");
  options.steps = 20'000;
  options.output_bytes = 1 << 20;
  try {
    ChatTemplate(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz").render(variables, options);
  } catch (const Error& fault) {
    if (fault.kind() == Kind::internal) __builtin_trap();
  }
  return 0;
}
