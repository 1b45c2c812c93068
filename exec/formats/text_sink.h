#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "exec/formats/format.h"

namespace millrace::inline exec {

/// Where encoders write: a small buffer that stays in the cache and is emptied into an Encoded when full. One thread.
class TextSink {
 public:
  /// Rows go to `out` until finish().
  void start(Encoded& out) {
    out_ = &out;
    at_ = buffer_.get();
  }
  /// At least `bytes` bytes to write at; tell with advance() where writing ended.
  char* room(std::size_t bytes) {
    if (static_cast<std::size_t>(limit_ - at_) < bytes) make_room(bytes);
    return at_;
  }
  void advance(char* end) { at_ = end; }
  void append(std::string_view text) {
    if (text.empty()) return;
    at_ = room(text.size());
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void end_row() {
    out_->ends.push_back(
        static_cast<std::uint32_t>(out_->bytes.size() + static_cast<std::size_t>(at_ - buffer_.get())));
  }
  void finish() { flush(); }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{1} << 15;

  void flush() {
    if (at_ == nullptr) return;
    out_->bytes.append(buffer_.get(), static_cast<std::size_t>(at_ - buffer_.get()));
    at_ = buffer_.get();
  }
  void make_room(std::size_t bytes) {
    flush();
    const auto capacity = static_cast<std::size_t>(limit_ - buffer_.get());
    if (capacity >= bytes) return;
    const std::size_t wanted = std::max(bytes, kBufferBytes);
    buffer_ = std::make_unique_for_overwrite<char[]>(wanted);
    at_ = buffer_.get();
    limit_ = at_ + wanted;
  }

  std::unique_ptr<char[]> buffer_;
  char* at_ = nullptr;
  char* limit_ = nullptr;
  Encoded* out_ = nullptr;
};

}  // namespace millrace::inline exec
