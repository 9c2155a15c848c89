// Families of models, by how they write tool calls. A family is one file in families/ and one row in families.cpp; it
// is recognised by what its chat template writes and by the tokens its tokenizer has. Models whose template knows no
// tools are served by the plain family: the tools are described in the system text, a call is a JSON object in the
// answer (conversation.h).
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checkpoint.h"
#include "text/text_stream.h"

namespace madang {

struct ChatFamily;  // chat/family.h

/// In the order in which they are tried; the last one fits all.
std::span<const ChatFamily* const> chat_families();
const ChatFamily& family_of(const Checkpoint& checkpoint);
/// `tokenizer` may be null.
const ChatFamily& family_of(std::string_view template_text, const Tokenizer* tokenizer);
std::string_view name_of(const ChatFamily& family);  ///< "hermes", "llama", "mistral", ...

/// What an answer must begin with so that it is a call of `function` ("": of any), in the family's own form: to be put
/// behind the generation prompt. Closes a reasoning that the end of `prompt_text` has opened.
std::string forced_opening(const ChatFamily& family, std::string_view function, std::string_view prompt_text);

/// Special tokens that mark neither calls nor reasoning nor channels, and therefore are not shown in an answer
/// (Request::silent). By id.
SilentTokens silent_tokens(const ChatFamily& family, const Tokenizer& tokenizer);

}  // namespace madang
