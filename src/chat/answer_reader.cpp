#include "chat/answer_reader.h"

#include <algorithm>
#include <optional>

#include "base/random.h"
#include "chat/family.h"
#include "chat/reasoning.h"

namespace madang {
namespace {

constexpr std::string_view blanks = " \t\r\n";

// How many bytes at the end of `text` begin `marker`, short of all of it.
size_t started(std::string_view text, std::string_view marker) {
  for (size_t n = std::min(text.size(), marker.size() - 1); n > 0; --n)
    if (text.ends_with(marker.substr(0, n))) return n;
  return 0;
}

bool blank(std::string_view text) { return text.find_first_not_of(blanks) == text.npos; }

std::vector<std::string> names_of(const Json& tools) {
  std::vector<std::string> names;
  if (!tools.is_array()) return names;
  for (const Json& tool : tools)
    if (tool.is_object() && tool.contains("function") && tool["function"].is_object())
      names.push_back(tool["function"].value("name", ""));
  return names;
}

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

  // Text with calls in it.
  bool in_body = false;        // held begins with an opening
  bool said_anything = false;  // text that is not blank has come
  bool gap = false;            // a call has come, and nothing but separators since

  // Channels.
  enum class Flow { header, text, reasoning, call, nothing };
  Flow flow = Flow::text;
  bool call_open = false;  // the next piece of arguments belongs to the call begun last

  State(const ChatFamily& f, std::string_view prompt, const Json& tools, ReaderOptions o)
      : family(f), options(std::move(o)), functions(names_of(tools)), splitter(f.channels ? "" : prompt) {
    if (f.channels) {
      const size_t at = prompt.rfind("<|start|>assistant");
      flow = at == prompt.npos ? Flow::text : Flow::header;
      if (at != prompt.npos) push(prompt.substr(at + std::string_view("<|start|>assistant").size()));
      out = {};
    } else if (&f == &families::functionary && prompt.ends_with(">>>")) {
      held = ">>>";  // the template has opened the first call, or "all"
      in_body = true;
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
    out.calls.push_back({calls, id_of(calls), std::move(name), ""});
    ++calls;
  }
  void add_arguments(std::string_view piece) {
    if (piece.empty()) return;
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
    if (in_body && functions.empty()) held.erase(0, 3), in_body = false;
    if (in_body) {
      const std::string body = std::exchange(held, "");
      in_body = false;
      if (!take_calls(family.calls(body, true), body)) say(body);
    }
    say(std::exchange(held, ""));
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
  bool take_calls(const std::vector<ParsedCall>& found, std::string_view body) {
    if (found.empty()) return false;
    if (body.starts_with('{') || body.starts_with('['))
      for (const ParsedCall& call : found)
        if (std::ranges::find(functions, call.name) == functions.end()) return false;
    gap = true;
    for (const ParsedCall& call : found) {
      if (done()) break;
      begin_call(call.name);
      add_arguments(call.arguments);
    }
    return true;
  }

  void text(std::string_view piece) {
    held += piece;
    if (functions.empty()) return text_alone();
    while (in_body ? body() : words()) {
    }
  }

  // No tools: everything is text, but for the name of the channel "all" that some templates leave to the model.
  void text_alone() {
    constexpr std::string_view all = ">>>all\n";
    if (in_body) {
      if (held.size() < all.size() && all.starts_with(held)) return;
      held.erase(0, held.starts_with(all) ? all.size() : 3);
      in_body = false;
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
      return in_body = true;
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

  // True if held holds no unfinished body any more.
  bool body() {
    const size_t n = family.length(held);
    if (n == not_yet) return false;
    in_body = false;
    if (n == no_call) {
      if (&family == &families::functionary) {  // >>>all and its line end
        held.erase(0, held.find('\n') + 1);
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
    if (!take_calls(family.calls(whole, false), whole)) say(whole);
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
