// Turns names and texts of a file into one printable line that fits the buffer of the caller.
#include <algorithm>
#include <cstring>

#include "internal.hpp"

namespace d3o {

namespace {

constexpr size_t kShownBytes = 80;
constexpr size_t kLineBytes = 600;  // the checker may quote whole messages

bool is_printable(unsigned char byte) { return byte >= 0x20 && byte < 0x7f; }

}  // namespace

std::string shown(std::string_view name) {
  std::string result = "'";
  if (name.size() <= kShownBytes) {
    result += name;
  } else {
    // Both ends are kept, because exporters put the scope in front and a counter at the end.
    result += name.substr(0, kShownBytes / 2);
    result += "...";
    result += name.substr(name.size() - (kShownBytes / 2 - 3));
  }
  for (char &byte : result) {
    if (!is_printable(static_cast<unsigned char>(byte))) byte = '?';
  }
  return result + "'";
}

std::string one_line(std::string_view text) {
  std::string result;
  for (char raw : text) {
    const auto byte = static_cast<unsigned char>(raw);
    const bool blank = byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
    if (blank && (result.empty() || result.back() == ' ')) continue;
    result += blank ? ' ' : is_printable(byte) ? raw : '?';
    if (result.size() >= kLineBytes) {
      result += "...";
      break;
    }
  }
  while (!result.empty() && result.back() == ' ') result.pop_back();
  return result;
}

void write_message(char *message, size_t capacity, std::string_view text) noexcept {
  if (message == nullptr || capacity == 0) return;
  const size_t size = std::min(text.size(), capacity - 1);
  if (size > 0) std::memcpy(message, text.data(), size);
  message[size] = '\0';
}

bool is_text(std::string_view bytes) {
  const auto *at = reinterpret_cast<const unsigned char *>(bytes.data());
  const auto *const end = at + bytes.size();
  while (at < end) {
    const unsigned char lead = *at++;
    if (lead == 0) return false;
    if (lead < 0x80) continue;
    const int following = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - at < following) return false;
    // The second byte shows overlong forms, surrogates and code points above U+10FFFF.
    const unsigned char second = *at;
    if (lead == 0xe0 && second < 0xa0) return false;
    if (lead == 0xed && second > 0x9f) return false;
    if (lead == 0xf0 && second < 0x90) return false;
    if (lead == 0xf4 && second > 0x8f) return false;
    for (int i = 0; i < following; i++) {
      if ((*at++ & 0xc0) != 0x80) return false;
    }
  }
  return true;
}

const char *text(const std::string &bytes, const std::string &what) {
  if (!is_text(bytes)) {
    fail(D3O_E_FORMAT, what + " " + shown(bytes) + " is not UTF-8 text without NUL");
  }
  return bytes.c_str();
}

void refuse_duplicates(std::vector<std::string_view> &names, const char *what) {
  // Sorting instead of hashing: no choice of names can make this slow.
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    fail(D3O_E_FORMAT, std::string("two ") + what + " have the name " + shown(*twice));
  }
}

}  // namespace d3o
