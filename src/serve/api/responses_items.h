// Items of the responses API: a client's input made whole (each with an id, as it is kept and listed), and items of a
// whole thread made into messages of a chat. Reasoning, text and calls that follow each other are one assistant
// message. Refuses (400): images, files, references to items, items of tools that OpenAI runs itself.
#pragma once
#include "base/json.h"

namespace madang {

/// `input`: a text or an array of items. Throws Problem with the path of what is wrong.
Json whole_items(const Json& input);

/// Throws Problem if an output belongs to no call. Arguments that a model wrote and that are no JSON object are told
/// as {"malformed_arguments": "..."}, so that the conversation can go on.
Json messages_of(const Json& items);

}  // namespace madang
