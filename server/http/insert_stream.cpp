#include "server/http/insert_stream.h"

#include <fmt/format.h>

#include <array>

#include "parser/error/mutex.h"
#include "server/session/errors.h"
#include "server/session/service.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::size_t kLongestLine = 16 << 20;
constexpr std::size_t kMostUnread = 64 << 20;  // many clients send everything before they read anything
constexpr std::uint64_t kFlushEvery = 10'000;
constexpr std::array kOffered = {MediaType::delimited, MediaType::json, MediaType::v1};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

void InsertStream::data(std::string_view piece) {
  {
    const MutexLock lock(mutex_);
    arrived_ += piece;
  }
  schedule();
}

void InsertStream::end(bool aborted) {
  {
    const MutexLock lock(mutex_);
    complete_ = true;
    aborted_ = aborted;
  }
  schedule();
}

void InsertStream::shut_down() {
  {
    const MutexLock lock(mutex_);
    shutting_down_ = true;
  }
  schedule();
}

void InsertStream::schedule() {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(working_, true)) return;
  }
  run_([self = shared_from_this()] { self->work(); });
}

void InsertStream::work() {
  while (true) {
    std::string arrived;
    bool complete = false, aborted = false, shutting_down = false;
    {
      const MutexLock lock(mutex_);
      arrived.swap(arrived_);
      complete = complete_;
      aborted = aborted_;
      shutting_down = shutting_down_;
      if (done_ || (arrived.empty() && !complete && !shutting_down)) {
        working_ = false;
        return;
      }
    }
    try {
      // The piece of a line before an abort is no row.
      take_lines(arrived, complete && !aborted);
      if (!done_) flush();
    } catch (const std::exception& error) {
      fail(service_error(kServerError, error.what()), rows_);
    }
    consumed(arrived.size());
    if (done_) continue;
    if (shutting_down && !complete) fail(service_error(kStopping, "The server is shutting down"), rows_);
    if (complete) finish();
  }
}

void InsertStream::take_lines(std::string_view text, bool last) {
  while (!done_ && !text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      rest_ += text;
      if (rest_.size() > kLongestLine) fail(service_error(kTooLarge, "a row is too large"), rows_);
      break;
    }
    if (rest_.empty()) {
      (void)take_row(text.substr(0, end));
    } else {
      rest_ += text.substr(0, end);
      const std::string line = std::exchange(rest_, {});
      (void)take_row(line);
    }
    text.remove_prefix(end + 1);
  }
  if (last && !done_ && !rest_.empty()) (void)take_row(std::exchange(rest_, {}));
  if (last && !done_ && !inserter_) (void)open("");
}

bool InsertStream::take_row(std::string_view line) {
  if (is_blank(line)) return true;
  if (!inserter_) return open(line);
  boost::system::error_code bad;
  const json::value row = json::parse(line, bad);
  const std::optional<ServiceError> problem =
      bad || !row.is_object() ? service_error(kBadRequest, "A row must be one JSON object on a line")
                              : inserter_->insert(row.get_object());
  if (problem) {
    flush();  // what came before a bad row stays inserted
    if (!done_) fail(*problem, rows_);
    return false;
  }
  if (++rows_ - confirmed_ >= kFlushEvery) flush();
  return !done_;
}

bool InsertStream::open(std::string_view line) {
  const auto refuse = [&](const ServiceError& error) {
    done_ = true;
    responder_->respond(error.code / 100, "application/json", json::serialize(error.to_json()));
    return false;
  };
  const auto type = negotiate(accept_, kOffered, MediaType::delimited);
  if (!type) return refuse(service_error(kNotAcceptable, "Not Acceptable"));
  type_ = *type;
  boost::system::error_code bad;
  const json::value arguments = json::parse(line, bad);
  const json::value* target = !bad && arguments.is_object() ? arguments.get_object().if_contains("target") : nullptr;
  if (target == nullptr || !target->is_string())
    return refuse(service_error(kBadRequest, "The first line of /inserts-stream must be an object with a 'target'"));
  if (auto denied = check_(std::string(target->get_string()))) return refuse(*denied);
  PropertyMap properties;
  if (const json::value* given = arguments.get_object().if_contains("properties");
      given != nullptr && given->is_object())
    for (const auto& entry : given->get_object())
      if (!entry.value().is_null())
        properties[entry.key()] =
            entry.value().is_string() ? std::string(entry.value().get_string()) : json::serialize(entry.value());
  auto opened = service_.inserter(std::string(target->get_string()), properties);
  if (opened.error) return refuse(*opened.error);
  inserter_ = std::move(opened.inserter);
  const std::weak_ptr<InsertStream> weak = weak_from_this();
  responder_->watch(
      [weak] {
        if (auto self = weak.lock()) self->caught_up();
      },
      [weak] {
        if (auto self = weak.lock()) self->end(true);
      });
  responder_->start(media_type_name(type_));
  return true;
}

void InsertStream::flush() {
  if (!inserter_ || rows_ == confirmed_) return;
  if (const auto problem = inserter_->flush()) return fail(*problem, confirmed_);
  for (; confirmed_ < rows_; ++confirmed_) confirm(fmt::format("{{\"status\":\"ok\",\"seq\":{}}}", confirmed_));
}

/// A chunk or frame for each: clients read them so.
void InsertStream::confirm(std::string text) {
  if (type_ != MediaType::json) {
    text += '\n';
  } else {
    text.insert(0, any_ack_ ? "," : "[");
  }
  any_ack_ = true;
  const std::size_t size = text.size();
  if (responder_->write(std::move(text))) return;
  const MutexLock lock(mutex_);
  unread_ += size;
}

void InsertStream::consumed(std::size_t bytes) {
  {
    const MutexLock lock(mutex_);
    if (unread_ > kMostUnread) {
      withheld_ += bytes;
      return;
    }
  }
  responder_->consumed(bytes);
}

void InsertStream::caught_up() {
  std::size_t bytes = 0;
  {
    const MutexLock lock(mutex_);
    unread_ = 0;
    bytes = std::exchange(withheld_, 0);
  }
  if (bytes > 0) responder_->consumed(bytes);
}

void InsertStream::fail(const ServiceError& error, std::uint64_t sequence) {
  if (done_) return;
  if (!inserter_) {
    done_ = true;
    return responder_->respond(error.code / 100, "application/json", json::serialize(error.to_json()));
  }
  json::object object = error.to_json();
  object["status"] = "error";
  object["seq"] = sequence;
  confirm(json::serialize(object));
  finish();
}

void InsertStream::finish() {
  if (std::exchange(done_, true)) return;
  inserter_.reset();
  if (type_ == MediaType::json) (void)responder_->write(any_ack_ ? "]" : "[]");
  responder_->finish();
}

}  // namespace millrace::inline server
