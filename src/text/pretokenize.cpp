#include "text/pretokenize.h"

#include <unicode/uchar.h>

#include <algorithm>

#include "text/normalize.h"
#include "text/unicode.h"

namespace madang {
namespace {

// A part of a piece, and whether the step's pattern matched it. The parts of a piece cover it.
struct Part {
  size_t begin, end;
  bool match;
};

std::vector<Part> merged(std::vector<Part> parts, Behaviour behaviour) {
  std::vector<Part> out;
  bool backwards = behaviour == Behaviour::merged_with_next, matched = false;
  if (backwards) std::reverse(parts.begin(), parts.end());
  for (const Part& part : parts) {
    bool joins = behaviour == Behaviour::contiguous ? !out.empty() && out.back().match == part.match
                                                    : part.match && !matched && !out.empty();
    if (!joins)
      out.push_back(part);
    else if (backwards)
      out.back().begin = part.begin;
    else
      out.back().end = part.end;
    matched = part.match;
  }
  if (backwards) std::reverse(out.begin(), out.end());
  return out;
}

// Replaces every piece by what the behaviour leaves of its parts.
template <class Cut>
void split_all(Pieces& pieces, Behaviour behaviour, bool invert, Cut cut) {
  std::vector<std::string_view> next;
  std::vector<Part> parts;
  for (std::string_view piece : pieces.list) {
    parts.clear();
    cut(piece, parts);
    if (invert)
      for (Part& part : parts) part.match = !part.match;
    if (behaviour != Behaviour::isolated && behaviour != Behaviour::removed)
      parts = merged(std::move(parts), behaviour);
    for (const Part& part : parts)
      if (part.end > part.begin && !(part.match && behaviour == Behaviour::removed))
        next.push_back(piece.substr(part.begin, part.end - part.begin));
  }
  pieces.list = std::move(next);
}

template <class Change>
void change_all(Pieces& pieces, Change change) {
  for (std::string_view& piece : pieces.list) piece = pieces.own(change(piece));
}

}  // namespace

bool is_punctuation(char32_t c) {
  if (c < 0x80)
    return c > ' ' && c < 0x7F && !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_P_MASK) != 0 && age_of(c) <= 8;
}

PreStep split_by_pattern(const std::string& expression, Behaviour behaviour, bool invert, const std::string& where) {
  auto pattern = std::make_shared<const Pattern>(expression, Dialect::oniguruma, where);
  return [=](Pieces& pieces) {
    split_all(pieces, behaviour, invert, [&](std::string_view piece, std::vector<Part>& parts) {
      size_t at = 0;
      for (Pattern::Match m; at < piece.size() && (m = pattern->find(piece, at, pieces.scratch)).found(); at = m.end) {
        if (m.begin > at) parts.push_back({at, m.begin, false});
        parts.push_back({m.begin, m.end, true});
      }
      if (at < piece.size()) parts.push_back({at, piece.size(), false});
    });
  };
}

PreStep split_by_character(std::function<bool(char32_t)> matches, Behaviour behaviour) {
  return [=](Pieces& pieces) {
    split_all(pieces, behaviour, false, [&](std::string_view piece, std::vector<Part>& parts) {
      size_t open = 0;
      for (size_t at = 0; at < piece.size();) {
        CodePoint c = code_point(piece, at);
        size_t end = at + c.size;
        if (matches(c.value)) {
          if (at > open) parts.push_back({open, at, false});
          parts.push_back({at, end, true});
          open = end;
        }
        at = end;
      }
      if (open < piece.size()) parts.push_back({open, piece.size(), false});
    });
  };
}

PreStep split_by_splitter(std::shared_ptr<const Splitter> splitter) {
  return [splitter](Pieces& pieces) {
    std::vector<std::string_view> next;
    for (std::string_view piece : pieces.list)
      for (size_t at = 0, end; at < piece.size(); at = end) {
        end = splitter->next(piece, at, pieces.scratch);
        next.push_back(piece.substr(at, end - at));
      }
    pieces.list = std::move(next);
  };
}

PreStep prefix_blank() {
  return [](Pieces& pieces) {
    for (std::string_view& piece : pieces.list)
      if (!piece.starts_with(' ')) piece = pieces.own(" " + std::string(piece));
  };
}

PreStep to_byte_letters() {
  return [](Pieces& pieces) { change_all(pieces, [](std::string_view piece) { return letters_of_bytes(piece); }); };
}

PreStep metaspace(std::string replacement, Prepend prepend, bool split) {
  return [=](Pieces& pieces) {
    bool first = pieces.at_text_start;
    change_all(pieces, [&](std::string_view piece) {
      std::string text = replace_all(std::string(piece), " ", replacement);
      bool wanted = prepend == Prepend::always || (prepend == Prepend::first && first);
      first = false;
      return wanted && !text.starts_with(replacement) ? replacement + text : text;
    });
    if (!split) return;
    split_all(pieces, Behaviour::merged_with_next, false, [&](std::string_view piece, std::vector<Part>& parts) {
      size_t at = 0;
      for (size_t hit; (hit = piece.find(replacement, at)) != std::string_view::npos; at = hit + replacement.size()) {
        if (hit > at) parts.push_back({at, hit, false});
        parts.push_back({hit, hit + replacement.size(), true});
      }
      if (at < piece.size()) parts.push_back({at, piece.size(), false});
    });
  };
}

PreStep fixed_length(size_t characters) {
  return [characters](Pieces& pieces) {
    std::vector<std::string_view> next;
    for (std::string_view piece : pieces.list) {
      size_t begin = 0, count = 0;
      for (size_t at = 0; at < piece.size();) {
        at += code_point(piece, at).size;
        if (++count == characters || at == piece.size()) {
          next.push_back(piece.substr(begin, at - begin));
          begin = at;
          count = 0;
        }
      }
    }
    pieces.list = std::move(next);
  };
}

}  // namespace madang
