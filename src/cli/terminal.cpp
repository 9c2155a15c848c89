#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unicode/uchar.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ostream>

#include "text/unicode.h"

namespace madang {
namespace {

int width_of(char32_t value) {
  const auto c = static_cast<UChar32>(value);
  if (value < 0x20 || (value >= 0x7F && value < 0xA0)) return 0;
  if (value < 0x300) return 1;
  // Hangul vowels and final consonants join the syllable before them.
  if ((value >= 0x1160 && value <= 0x11FF) || (value >= 0xD7B0 && value <= 0xD7FB)) return 0;
  const uint32_t kind = U_GET_GC_MASK(c);
  if (kind & (U_GC_MN_MASK | U_GC_ME_MASK | U_GC_CF_MASK)) return 0;
  const int width = u_getIntPropertyValue(c, UCHAR_EAST_ASIAN_WIDTH);
  return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

// Unicode's own rules for clusters (UAX 29) need a look at neighbours; these cover what people type: marks, joined
// emoji, decomposed Hangul, pairs of flag letters.
bool joins(char32_t before, char32_t here) {
  if (before == '\n' || here == '\n') return false;
  const auto a = static_cast<UChar32>(before), b = static_cast<UChar32>(here);
  const int kind = u_getIntPropertyValue(b, UCHAR_GRAPHEME_CLUSTER_BREAK);
  if (kind == U_GCB_EXTEND || kind == U_GCB_ZWJ || kind == U_GCB_SPACING_MARK) return true;
  if (before == 0x200D && u_hasBinaryProperty(b, UCHAR_EXTENDED_PICTOGRAPHIC)) return true;
  const int left = u_getIntPropertyValue(a, UCHAR_HANGUL_SYLLABLE_TYPE);
  const int right = u_getIntPropertyValue(b, UCHAR_HANGUL_SYLLABLE_TYPE);
  const bool vowel_follows = right == U_HST_VOWEL_JAMO;
  if (left == U_HST_LEADING_JAMO) return right != U_HST_NOT_APPLICABLE && right != U_HST_TRAILING_JAMO;
  if (left == U_HST_LV_SYLLABLE || left == U_HST_VOWEL_JAMO) return vowel_follows || right == U_HST_TRAILING_JAMO;
  return (left == U_HST_LVT_SYLLABLE || left == U_HST_TRAILING_JAMO) && right == U_HST_TRAILING_JAMO;
}

bool flag_letter(char32_t c) { return c >= 0x1F1E6 && c <= 0x1F1FF; }

std::string scaled(double value, const char* unit) {
  constexpr std::array prefixes = {"", "k", "M", "G", "T", "P"};
  size_t step = 0;
  while (value >= 1000 && step + 1 < prefixes.size()) value /= 1000, ++step;
  return fmt::format("{:.{}f} {}{}", value, step == 0 ? 0 : 1, prefixes[step], unit);
}

}  // namespace

size_t next_character(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  CodePoint before = code_point(text, at);
  const bool flag = flag_letter(before.value);
  at += before.size;
  if (flag && at < text.size() && flag_letter(code_point(text, at).value)) at += 4;
  while (at < text.size()) {
    const CodePoint here = code_point(text, at);
    if (!joins(before.value, here.value)) break;
    at += here.size;
    before = here;
  }
  return std::min(at, text.size());
}

size_t previous_character(std::string_view text, size_t at) {
  // Clusters have no bound backwards; from the line's beginning they are found for sure.
  if (at == 0) return 0;
  size_t begin = text.rfind('\n', at - 1);
  begin = begin == std::string_view::npos ? 0 : begin == at - 1 ? begin : begin + 1;
  for (size_t end = begin; (end = next_character(text, begin)) < at;) begin = end;
  return begin;
}

int display_width(std::string_view text) {
  int columns = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = next_character(text, at);
    int widest = 0;
    for (size_t i = at; i < end; i += code_point(text, i).size)
      widest = std::max(widest, width_of(code_point(text, i).value));
    columns += widest;
    at = end;
  }
  return columns;
}

std::string styled(const Surroundings& around, Style style, std::string_view text) {
  if (!around.colour || style == Style::plain || text.empty()) return std::string(text);
  constexpr std::array codes = {"0", "2", "1", "36", "33"};
  return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<size_t>(style)], text);
}

int terminal_columns(int descriptor) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string padded(std::string_view text, int columns) {
  return std::string(text) + std::string(static_cast<size_t>(std::max(0, columns - display_width(text))), ' ');
}

std::string wrapped(std::string_view text, int columns, int indent) {
  std::string out(static_cast<size_t>(indent), ' ');
  int at = indent;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    const int width = display_width(word);
    if (at > indent && at + 1 + width > columns) {
      out += '\n' + std::string(static_cast<size_t>(indent), ' ');
      at = indent;
    } else if (at > indent) {
      out += ' ', ++at;
    }
    out += word, at += width;
    begin = end + 1;
  }
  return out;
}

std::string human_bytes(double bytes) { return scaled(bytes, "B"); }
std::string human_count(double number) {
  std::string text = scaled(number, "");
  while (text.back() == ' ') text.pop_back();
  return text;
}

ProgressBar::ProgressBar(Surroundings& around) : around_(around), begin_(Clock::now()) {}
ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::clear() {
  if (visible_) *around_.err << "\r\x1b[K" << std::flush;
  visible_ = false;
}

bool ProgressBar::show(const Progress& progress) {
  const auto now = Clock::now();
  const std::string what = around_.words(progress.what);
  if (what != what_) what_ = what, begin_ = now, first_ = progress.done, told_ = -1;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  if (around_.err_terminal) {
    // Nothing for work that is over before one looks; ten pictures a second are enough for the eye.
    if (seconds < 0.2 || now - drawn_ < std::chrono::milliseconds(100)) return true;
    drawn_ = now;
    draw(progress, seconds);
  } else if (progress.bytes && progress.total > 0) {
    const int64_t tenth =
        static_cast<int64_t>(10.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total));
    if (tenth != told_) *around_.err << what << ' ' << tenth * 10 << "%" << std::endl;
    told_ = tenth;
  }
  return true;
}

void ProgressBar::draw(const Progress& p, double seconds) {
  std::string facts;
  const double speed = static_cast<double>(p.done - first_) / seconds;
  if (p.bytes) {
    facts = human_bytes(static_cast<double>(p.done));
    if (p.total > 0) facts += " / " + human_bytes(static_cast<double>(p.total));
    facts += fmt::format("  {}/s", human_bytes(speed));
  } else if (p.total > 0) {
    facts = fmt::format("{} / {}", p.done, p.total);
  }
  const int columns = terminal_columns(STDERR_FILENO);
  std::string bar;
  const int room = std::min(40, columns - display_width(what_) - display_width(facts) - 10);
  if (p.total > 0 && room >= 8) {
    const double part = std::clamp(static_cast<double>(p.done) / static_cast<double>(p.total), 0.0, 1.0);
    const int eighths = static_cast<int>(part * room * 8);  // blocks of one eighth of a column
    for (int i = 0; i < room; ++i) {
      const int fill = std::clamp(eighths - i * 8, 0, 8);
      append_utf8(bar, fill == 0 ? U'\u00B7' : static_cast<char32_t>(0x2590 - fill));
    }
    bar = fmt::format(" {} {:3.0f}% ", bar, part * 100);
  }
  *around_.err << "\r\x1b[K" << what_ << bar << ' ' << facts << std::flush;
  visible_ = true;
}

}  // namespace madang
