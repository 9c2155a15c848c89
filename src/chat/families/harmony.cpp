// gpt-oss: messages in channels. analysis is reasoning, final is the answer, commentary to=functions.f is a call. The
// reader follows the channels itself (answer_reader.cpp).
#include <fmt/format.h>

#include "chat/family.h"

namespace madang::families {

const ChatFamily harmony = {
    .name = "harmony",
    .fits = [](std::string_view t,
               const Tokenizer*) { return contains(t, "<|channel|>") && contains(t, "<|message|>"); },
    .openings = {},
    .forced =
        [](std::string_view f) {
          return f.empty() ? std::string("<|channel|>commentary to=functions.")
                           : fmt::format("<|channel|>commentary to=functions.{} <|constrain|>json<|message|>", f);
        },
    .ending = "<|call|>",
    .markers = {"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"},
    .channels = true,
};

}  // namespace madang::families
