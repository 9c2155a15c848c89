// OpenAI's messages and tools, checked field by field and put into the one shape that templates are given.
#pragma once
#include <string>

#include "base/json.h"

namespace madang {

/// Roles system, developer (as system), user, assistant, tool; content a text or an array of text parts, which are
/// joined; arguments of past calls as objects. Throws Kind::format with the path of the field below `where` as place,
/// Kind::unsupported for images, audio and files.
Json checked_messages(const Json& messages, const std::string& where);

/// OpenAI's tools; all have a function with a name. Throws Kind::format.
Json checked_tools(const Json& tools);

}  // namespace madang
