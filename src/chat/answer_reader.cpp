#include "chat/answer_reader.h"

#include <algorithm>
#include <optional>

#include "base/random.h"
#include "chat/family.h"
#include "chat/marker.h"
#include "chat/reasoning.h"

namespace madang {
namespace {

std::vector<std::string> names_of(const Json& tools) {
  std::vector<std::string> names;
  if (!tools.is_array()) return names;
  for (const Json& tool : tools)
    if (tool.is_object() && tool.contains("function") && tool["function"].is_object())
      names.push_back(tool["function"].value("name", ""));
  return names;
}

// Where a JSON object ends, byte after byte.
struct JsonScan {
  int depth = 0;
  bool quoted = false, escaped = false;

  // How many bytes of `text` belong to it; `over` if it ends there.
  size_t run(std::string_view text, bool& over) {
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (escaped)
        escaped = false;
      else if (quoted && c == '\\')
        escaped = true;
      else if (c == '"')
        quoted = !quoted;
      else if (!quoted && (c == '{' || c == '['))
        ++depth;
      else if (!quoted && (c == '}' || c == ']') && --depth == 0)
        return over = true, i + 1;
    }
    return text.size();
  }
};

}  // namespace

// Two machines, both fed with what is new and keeping back what they cannot decide yet: one finds calls in a text, the
// other follows channels. What they do depends on the text so far and never on how it was cut.
struct AnswerReader::State {
  const ChatFamily& family;
  ReaderOptions options;
  std::vector<std::string> functions;
  ReasoningSplitter splitter;
  AnswerDelta out;
  int calls = 0;
  std::string held;

  // Text with calls in it: words, then a body that begins with an opening; once its head is known, the arguments as
  // they come, and the tail.
  enum class Place { words, body, arguments, tail };
  Place place = Place::words;
  bool listed = false;         // the body is a further call of a list
  size_t next_look = 0;        // a long body is looked at again when it has grown so far
  JsonScan scan;               // of the arguments
  bool said_anything = false;  // text that is not blank has come
  bool gap = false;            // a call has come, and nothing but separators since

  // Channels.
  enum class Flow { header, text, reasoning, call, nothing };
  Flow flow = Flow::text;
  bool call_open = false;  // the next piece of arguments belongs to the call begun last
  bool muted = false;      // the call begun last is one too many

  State(const ChatFamily& f, std::string_view prompt, const Json& tools, ReaderOptions o)
      : family(f), options(std::move(o)), functions(names_of(tools)), splitter(f.channels ? "" : prompt) {
    if (f.channels) {
      const size_t at = prompt.rfind("<|start|>assistant");
      flow = at == prompt.npos ? Flow::text : Flow::header;
      if (at != prompt.npos) push(prompt.substr(at + std::string_view("<|start|>assistant").size()));
      out = {};
    } else if (!f.opened.empty() && prompt.ends_with(f.opened)) {
      held = f.opened;  // the template has begun the first call, or what is said to the user
      place = Place::body;
    }
    push(options.begun);
  }

  bool done() const { return !options.parallel_tool_calls && calls > 0 && !call_open; }

  std::string id_of(int index) const {
    static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    Random random(options.seed, static_cast<uint64_t>(index) + 1);
    std::string id = family.short_ids ? "" : "call_";
    for (int i = 0; i < (family.short_ids ? 9 : 24); ++i) id += letters[random.bits() % letters.size()];
    return id;
  }

  void begin_call(std::string name) {
    muted = !options.parallel_tool_calls && calls > 0;
    if (muted) return;
    out.calls.push_back({calls, id_of(calls), std::move(name), ""});
    ++calls;
  }
  void add_arguments(std::string_view piece) {
    if (piece.empty() || muted) return;
    if (out.calls.empty()) out.calls.push_back({calls - 1, "", "", ""});
    out.calls.back().arguments += piece;
  }

  void push(std::string_view piece) {
    if (family.channels) {
      held += piece;
      channels(false);
      return;
    }
    const AnswerParts parts = splitter.push(piece);
    out.reasoning += parts.reasoning;
    text(parts.text);
  }

  void finish() {
    if (family.channels) return channels(true);
    const AnswerParts parts = splitter.finish();
    out.reasoning += parts.reasoning;
    text(parts.text);
    if (place == Place::body && functions.empty()) held.erase(0, family.opened.size()), place = Place::words;
    next_look = 0;
    while (step()) {
    }
    if (place == Place::body) {
      const std::string body = std::exchange(held, "");
      const auto found = listed ? families::json_calls(body, true) : family.calls(body, true);
      if (!take_calls(found, body)) say(body);
    } else if (place == Place::words) {
      say(held);
    }
    held.clear();
  }

  // ---- calls in a text

  void say(std::string_view words) {
    if (words.empty() || done()) return;
    if (gap && blank(words)) return;  // between and after calls
    if (!blank(words)) said_anything = true, gap = false;
    out.text += words;
  }

  bool counts(std::string_view opening) const {
    const bool plain = opening.size() == 1;  // a bracket
    return !plain || !said_anything;
  }

  // Calls of functions that nobody offered are text where a call looks like an ordinary answer.
  bool offered(std::string_view name, std::string_view body) const {
    constexpr std::string_view ordinary = "{[`";
    return ordinary.find(body[0]) == ordinary.npos || std::ranges::find(functions, name) != functions.end();
  }

  bool take_calls(const std::vector<ParsedCall>& found, std::string_view body) {
    if (found.empty()) return false;
    for (const ParsedCall& call : found)
      if (!offered(call.name, body)) return false;
    gap = true;
    for (const ParsedCall& call : found) {
      begin_call(call.name);
      add_arguments(call.arguments);
    }
    return true;
  }

  void text(std::string_view piece) {
    held += piece;
    if (functions.empty()) return text_alone();
    while (step()) {
    }
  }

  // True if there may be more to do with what is held.
  bool step() {
    switch (place) {
      case Place::words:
        return words();
      case Place::body:
        return body();
      case Place::arguments:
        return arguments();
      case Place::tail:
        return tail();
    }
    return false;
  }

  // No tools: everything is text, but for what says to whom it is said.
  void text_alone() {
    const std::string_view to_user = family.to_user;
    if (place == Place::body) {
      if (held.size() < to_user.size() && to_user.starts_with(held)) return;
      held.erase(0, held.starts_with(to_user) ? to_user.size() : family.opened.size());
      place = Place::words;
    }
    out.text += std::exchange(held, "");
  }

  // Passes on what cannot belong to an opening; true if one was found.
  bool words() {
    if (gap)  // "; " and commas between calls belong to none
      held.erase(0, std::min(held.find_first_not_of(family.bare ? " \t\r\n;," : blanks), held.size()));
    size_t at = held.npos;
    for (std::string_view opening : family.openings) {
      if (!counts(opening)) continue;
      const size_t found = held.find(opening);
      // A bracket is an opening only as the first thing said.
      if (opening.size() == 1 && found != held.npos && !blank(std::string_view(held).substr(0, found))) continue;
      at = std::min(at, found);
    }
    if (at != held.npos) {
      const std::string_view before = std::string_view(held).substr(0, at);
      say(before.substr(0, before.find_last_not_of(blanks) + 1));
      held.erase(0, at);
      place = Place::body, listed = false, next_look = 0;
      return true;
    }
    size_t kept = 0;
    for (std::string_view opening : family.openings) kept = std::max(kept, started(held, opening));
    // Blanks before what may be an opening wait with it.
    const std::string_view sure = std::string_view(held).substr(0, held.size() - kept);
    const size_t end = sure.find_last_not_of(blanks) + 1;
    if (end > 0) {
      say(sure.substr(0, end));
      held.erase(0, end);
    }
    return false;
  }

  // A long body is not searched through again for every byte.
  bool wait() {
    constexpr size_t long_body = 1024;
    next_look = held.size() + (held.size() < long_body ? 0 : held.size() / 8);
    return false;
  }

  bool body() {
    if (held.size() < next_look) return false;
    if (family.head) {
      CallHead head = family.head(held);
      if (head.is == CallHead::Is::unknown) return wait();
      if (head.is == CallHead::Is::found && offered(head.name, held)) {
        begin_call(std::move(head.name));
        call_open = !muted;
        held.erase(0, head.arguments);
        place = Place::arguments, scan = {};
        return true;
      }
    }
    return whole_body();
  }

  bool whole_body() {
    const size_t n = listed ? families::json_end(held, 0) : family.length(held);
    if (n == not_yet) return wait();
    place = Place::words;
    if (n == no_call) {
      if (!family.to_user.empty() && held.starts_with(family.to_user)) {
        held.erase(0, family.to_user.size());
        return true;
      }
      const auto opening = std::ranges::find_if(family.openings, [&](auto o) { return held.starts_with(o); });
      const size_t skipped = opening == family.openings.end() ? 1 : opening->size();
      say(held.substr(0, skipped));
      held.erase(0, skipped);
      return true;
    }
    const std::string whole = held.substr(0, n);
    held.erase(0, n);
    if (!take_calls(listed ? families::json_calls(whole, false) : family.calls(whole, false), whole)) say(whole);
    return true;
  }

  bool arguments() {
    bool over = false;
    const size_t n = scan.run(held, over);
    add_arguments(std::string_view(held).substr(0, n));
    held.erase(0, n);
    if (!over) return false;
    call_open = false, gap = true;
    place = Place::tail;
    return true;
  }

  bool tail() {
    const CallTail found = family.tail(held);
    if (found.is == CallTail::Is::unknown) return false;
    held.erase(0, found.size);
    listed = found.is == CallTail::Is::next;
    place = listed ? Place::body : Place::words, next_look = 0;
    return true;
  }

  // ---- channels

  void pass(std::string_view piece) {
    if (flow == Flow::text) out.text += piece;
    if (flow == Flow::reasoning) out.reasoning += piece;
    if (flow == Flow::call) add_arguments(piece);
  }

  void begin_flow(std::string_view header) {
    constexpr std::string_view to = "to=functions.";
    if (const size_t at = header.find(to); at != header.npos && !functions.empty()) {
      std::string_view name = header.substr(at + to.size());
      name = name.substr(0, name.find_first_of(" \t\r\n<"));
      if (done() || name.empty()) {
        flow = done() ? Flow::nothing : Flow::text;
        return;
      }
      begin_call(std::string(name));
      flow = Flow::call, call_open = true;
    } else {
      flow = header.find("analysis") != header.npos ? Flow::reasoning : Flow::text;
    }
  }

  void channels(bool last) {
    static constexpr std::string_view message = "<|message|>";
    static constexpr std::string_view marks[] = {"<|start|>", "<|channel|>", "<|end|>", "<|return|>", "<|call|>"};
    while (true) {
      if (flow == Flow::header) {
        const size_t at = held.find(message);
        if (at == held.npos) {
          if (last && held.find("<|") == held.npos) out.text += std::exchange(held, "");  // no channel at all
          return;
        }
        begin_flow(std::string_view(held).substr(0, at));
        held.erase(0, at + message.size());
      }
      size_t at = held.npos;
      std::string_view mark;
      for (std::string_view m : marks)
        if (const size_t found = held.find(m); found < at) at = found, mark = m;
      if (at == held.npos) {
        size_t kept = 0;
        if (!last)
          for (std::string_view m : marks) kept = std::max(kept, started(held, m));
        pass(std::string_view(held).substr(0, held.size() - kept));
        held.erase(0, held.size() - kept);
        return;
      }
      pass(std::string_view(held).substr(0, at));
      held.erase(0, at + mark.size());
      call_open = false;
      flow = mark == "<|start|>" || mark == "<|channel|>" ? Flow::header : Flow::nothing;
    }
  }
};

AnswerReader::AnswerReader(const ChatFamily& family, std::string_view prompt_text, const Json& tools,
                           ReaderOptions options)
    : state_(std::make_unique<State>(family, prompt_text, tools, std::move(options))) {}
AnswerReader::~AnswerReader() = default;
AnswerReader::AnswerReader(AnswerReader&&) noexcept = default;
AnswerReader& AnswerReader::operator=(AnswerReader&&) noexcept = default;

AnswerDelta AnswerReader::push(std::string_view piece) {
  state_->push(piece);
  return std::exchange(state_->out, {});
}

AnswerDelta AnswerReader::finish() {
  state_->finish();
  return std::exchange(state_->out, {});
}

int AnswerReader::calls() const { return state_->calls; }
bool AnswerReader::done() const { return state_->done(); }

}  // namespace madang
