#include "cli/line_editor.h"

#include <histedit.h>
#include <langinfo.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cwchar>
#include <istream>
#include <string_view>

#include "text/unicode.h"

namespace madang {
namespace {

// On Linux a wchar_t is a code point.
std::wstring widened(std::string_view text) {
  std::wstring out;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = code_point(text, at);
    out += static_cast<wchar_t>(c.value);
    at += c.size;
  }
  return out;
}

std::string narrowed(const wchar_t* text, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) append_utf8(out, static_cast<char32_t>(text[i]));
  return out;
}

}  // namespace

struct LineEditor::Terminal {
  EditLine* edit = nullptr;
  HistoryW* history = nullptr;
  std::wstring prompt;
  bool interrupted = false;

  static Terminal& of(EditLine* e) {
    void* data = nullptr;
    el_wget(e, EL_CLIENTDATA, &data);
    return *static_cast<Terminal*>(data);
  }
  static wchar_t* show_prompt(EditLine* e) { return of(e).prompt.data(); }
  static unsigned char interrupt(EditLine* e, wint_t) {
    of(e).interrupted = true;
    return CC_EOF;
  }

  Terminal() {
    std::setlocale(LC_CTYPE, "");
    if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") std::setlocale(LC_CTYPE, "C.UTF-8");
    edit = el_init("madang", stdin, stdout, stderr);
    history = history_winit();
    HistEventW event;
    history_w(history, &event, H_SETSIZE, 1000);
    history_w(history, &event, H_SETUNIQUE, 1);
    el_wset(edit, EL_CLIENTDATA, this);
    el_wset(edit, EL_PROMPT, show_prompt);
    el_wset(edit, EL_EDITOR, L"emacs");
    el_wset(edit, EL_HIST, history_w, history);
    // Ctrl-C is a key here, not a signal: it drops the line and never the program.
    el_wset(edit, EL_ADDFN, L"madang-interrupt", L"drop the line", interrupt);
    el_wset(edit, EL_BIND, L"^C", L"madang-interrupt", nullptr);
    el_wset(edit, EL_SETTY, L"-d", L"-isig", nullptr);
    el_wset(edit, EL_BIND, L"\\e[3~", L"ed-delete-next-char", nullptr);
    el_wset(edit, EL_BIND, L"\\e[1~", L"ed-move-to-beg", nullptr);
    el_wset(edit, EL_BIND, L"\\e[4~", L"ed-move-to-end", nullptr);
  }
  ~Terminal() {
    el_end(edit);
    history_wend(history);
  }
};

LineEditor::LineEditor(Surroundings& around)
    : around_(around), terminal_(around.in_terminal && around.out_terminal ? std::make_unique<Terminal>() : nullptr) {}
LineEditor::~LineEditor() = default;

LineEditor::Result LineEditor::read(const std::string& prompt) {
  if (!terminal_) {
    Result r;
    if (std::getline(*around_.in, r.text)) r.end = End::line;
    if (!r.text.empty() && r.text.back() == '\r') r.text.pop_back();
    return r;
  }
  terminal_->prompt = widened(prompt);
  terminal_->interrupted = false;
  int n = 0;
  const wchar_t* line = el_wgets(terminal_->edit, &n);
  if (terminal_->interrupted) return {End::interrupted, ""};
  if (!line || n <= 0) return {End::closed, ""};
  if (line[n - 1] == L'\n') --n;
  return {End::line, narrowed(line, static_cast<size_t>(n))};
}

bool LineEditor::pending() const {
  termios before{};
  if (!terminal_ || tcgetattr(STDIN_FILENO, &before) != 0) return false;
  // Between lines the terminal counts whole lines only; a paste's last line often has no end yet.
  termios by_character = before;
  by_character.c_lflag &= ~static_cast<tcflag_t>(ICANON);
  tcsetattr(STDIN_FILENO, TCSANOW, &by_character);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const bool more = poll(&input, 1, 20) > 0;  // ms: pastes come in pieces, hands need longer for a key
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
  return more;
}

void LineEditor::remember(const std::string& text) {
  if (!terminal_ || text.empty()) return;
  HistEventW event;
  history_w(terminal_->history, &event, H_ENTER, widened(text).c_str());
}

struct HiddenKeys::Modes {
  termios value{};
};

HiddenKeys::HiddenKeys(const Surroundings& around) {
  if (!around.in_terminal) return;
  before_ = std::make_unique<Modes>();
  if (tcgetattr(STDIN_FILENO, &before_->value) != 0) {
    before_.reset();
    return;
  }
  termios hidden = before_->value;
  hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(STDIN_FILENO, TCSANOW, &hidden);
}

HiddenKeys::~HiddenKeys() {
  if (before_) tcsetattr(STDIN_FILENO, TCSANOW, &before_->value);
}

}  // namespace madang
