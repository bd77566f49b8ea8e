#include "scoring/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <cstdint>
#include <stdexcept>
#include <string>

#include <pcre2.h>

namespace gpqa {
namespace {

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

// Backtracking from one start of a match: our patterns need a handful of steps, however long the text is.
constexpr std::uint32_t kMatchLimit = 1'000'000;
constexpr std::uint32_t kHeapLimitKib = 64 * 1024;

std::string message_of(int error) {
  std::string text(256, '\0');
  const int length = pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text.data()), text.size());
  text.resize(length < 0 ? 0 : static_cast<std::size_t>(length));
  return text;
}

}  // namespace

struct Pattern::Impl {
  std::unique_ptr<pcre2_code, Free> code;
  std::unique_ptr<pcre2_match_context, Free> limits;
};

Pattern::Pattern(std::string_view pattern) : impl_(std::make_unique<Impl>()) {
  const std::unique_ptr<pcre2_compile_context, Free> context(pcre2_compile_context_create(nullptr));
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  impl_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF,
                                  &error, &offset, context.get()));
  if (!impl_->code) {
    throw std::logic_error("pattern " + std::string(pattern) + ": " + message_of(error));
  }
  impl_->limits.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(impl_->limits.get(), kMatchLimit);
  pcre2_set_heap_limit(impl_->limits.get(), kHeapLimitKib);
  pcre2_jit_compile(impl_->code.get(), PCRE2_JIT_COMPLETE);  // without a JIT it is only slower
}

Pattern::~Pattern() = default;

void Pattern::each_match(std::string_view text, const std::function<bool(std::string_view)>& visit) const {
  const std::unique_ptr<pcre2_match_data, Free> data(
      pcre2_match_data_create_from_pattern(impl_->code.get(), nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  std::size_t at = 0;
  std::uint32_t options = 0;
  for (;;) {
    const int found =
        pcre2_match(impl_->code.get(), subject, text.size(), at, options, data.get(), impl_->limits.get());
    if (found == PCRE2_ERROR_NOMATCH) {
      return;
    }
    if (found < 0) {
      throw std::runtime_error("the answer can't be searched: " + message_of(found));
    }
    const auto* places = pcre2_get_ovector_pointer(data.get());
    if (!visit(text.substr(places[2], places[3] - places[2]))) {
      return;
    }
    at = places[1];
    options = PCRE2_NO_UTF_CHECK;  // checked by the first call
    if (places[0] == places[1]) {
      options |= PCRE2_NOTEMPTY_ATSTART;  // Python doesn't match nothing twice at one place
    }
  }
}

}  // namespace gpqa
