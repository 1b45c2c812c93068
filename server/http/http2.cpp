#include "server/http/http2.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <unordered_map>

#include "planner/types/value.h"
#include "server/http/media_type.h"

namespace millrace::inline server {
namespace {

constexpr std::int32_t kStreamWindow = 1 << 20;      // bytes that a peer may send ahead on one stream
constexpr std::int32_t kConnectionWindow = 8 << 20;  // and on all of them
constexpr double kResetsPerSecond = 100, kMostResets = 1000;

std::string_view view(const std::uint8_t* text, std::size_t size) {
  return {reinterpret_cast<const char*>(text), size};
}

nghttp2_nv header(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

/// One stream, from its first header to its close.
struct Stream {
  std::int32_t id = 0;
  HttpRequest request;
  std::size_t header_bytes = 0, gathered = 0;
  std::shared_ptr<Answer> answer;
  std::shared_ptr<Responder> responder;  // until the request is handed over
  std::shared_ptr<BodyReceiver> receiver;
  bool dispatched = false, body_done = false, refused = false;
  bool head_sent = false, head_only = false, whole = false;
  bool lines = false;    // each line gets a frame of its own
  bool blocked = false;  // the next chunk waits for a window that takes all of it
  bool ended = false;    // after chunk none comes
  std::string chunk;     // was taken of the answer
  std::size_t sent = 0;  // of it
};

class Http2 final : public Protocol {
 public:
  explicit Http2(Connection& connection);
  ~Http2() override;
  bool upgrade(const std::string& settings, HttpRequest& request);

  void receive(std::string_view bytes) override;
  void pump(const std::vector<std::shared_ptr<Answer>>& answers) override;
  void writable() override { send_pending(); }
  void end_of_input() override { connection_.lost(); }
  void drain() override;
  void lost() override;
  void tick(Clock::time_point now) override;

 private:
  using Frame = nghttp2_frame;
  static Http2& self(void* user) { return *static_cast<Http2*>(user); }
  void set_callbacks(nghttp2_session_callbacks* callbacks);
  int on_begin(const Frame& frame);
  int on_header(const Frame& frame, std::string_view name, std::string_view value);
  int on_frame(const Frame& frame);
  int on_sent(const Frame& frame);
  int on_data(std::int32_t id, std::string_view piece);
  int on_close(std::int32_t id);
  static std::size_t next_size(const Stream& stream);
  bool can_wait(std::size_t size) const;
  ssize_t read_body(Stream& stream, std::uint8_t* out, std::size_t room, std::uint32_t& flags);
  ssize_t most_payload(std::int32_t connection_window, std::int32_t stream_window, std::uint32_t frame_limit) const;

  Stream* find(std::int32_t id);
  void begin_request(Stream& stream);
  void complete_request(Stream& stream);
  void refuse(Stream& stream, int status, std::string_view message);
  void take_body(Stream& stream, std::string_view piece);
  void submit_head(Stream& stream, const Answer::Head& head);
  void pump_one(Stream& stream);
  void unblock();
  void end_stream(Stream& stream);
  void send_pending();

  Connection& connection_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<std::int32_t, Stream> streams_;
  double resets_ = 0;
  Clock::time_point since_, counted_;
  bool lost_ = false, draining_ = false, in_session_ = false;
};

Http2::Http2(Connection& connection) : connection_(connection), since_(Clock::now()), counted_(since_) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  set_callbacks(callbacks);
  nghttp2_option* options = nullptr;
  nghttp2_option_new(&options);
  nghttp2_option_set_no_auto_window_update(options, 1);
  nghttp2_session_server_new2(&session_, callbacks, this, options);
  nghttp2_option_del(options);
  nghttp2_session_callbacks_del(callbacks);
  const HttpLimits& limits = connection_.context().limits;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.header_bytes)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2::~Http2() {
  lost();
  nghttp2_session_del(session_);
}

void Http2::set_callbacks(nghttp2_session_callbacks* callbacks) {
  nghttp2_session_callbacks_set_on_begin_headers_callback(
      callbacks, [](nghttp2_session*, const Frame* frame, void* user) { return self(user).on_begin(*frame); });
  nghttp2_session_callbacks_set_on_header_callback(
      callbacks, [](nghttp2_session*, const Frame* frame, const std::uint8_t* name, std::size_t name_size,
                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
        return self(user).on_header(*frame, view(name, name_size), view(value, value_size));
      });
  nghttp2_session_callbacks_set_on_frame_recv_callback(
      callbacks, [](nghttp2_session*, const Frame* frame, void* user) { return self(user).on_frame(*frame); });
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
      callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size,
                    void* user) { return self(user).on_data(id, view(data, size)); });
  nghttp2_session_callbacks_set_on_stream_close_callback(
      callbacks, [](nghttp2_session*, std::int32_t id, std::uint32_t, void* user) { return self(user).on_close(id); });
  nghttp2_session_callbacks_set_on_frame_send_callback(
      callbacks, [](nghttp2_session*, const Frame* frame, void* user) { return self(user).on_sent(*frame); });
  nghttp2_session_callbacks_set_data_source_read_length_callback(
      callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t connection_window,
                    std::int32_t stream_window, std::uint32_t frame_limit,
                    void* user) { return self(user).most_payload(connection_window, stream_window, frame_limit); });
}

bool Http2::upgrade(const std::string& settings, HttpRequest& request) {
  std::string text = settings, decoded;
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  if (!base64_decode(text, decoded)) return false;
  if (nghttp2_session_upgrade2(session_, reinterpret_cast<const std::uint8_t*>(decoded.data()), decoded.size(),
                               request.method == "HEAD", nullptr) != 0)
    return false;
  Stream& stream = streams_[1];
  stream.id = 1;
  stream.request = std::move(request);
  stream.request.http2 = true;
  stream.answer = connection_.make_answer(1);
  stream.responder = stream.answer->responder();
  stream.dispatched = true;
  complete_request(stream);
  return true;
}

void Http2::receive(std::string_view bytes) {
  since_ = Clock::now();
  in_session_ = true;
  const ssize_t used =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  in_session_ = false;
  if (lost_) return;
  send_pending();
  // The reason has gone out with GOAWAY, where there is one.
  if (used < 0) connection_.close_when_sent();
}

Stream* Http2::find(std::int32_t id) {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : &it->second;
}

int Http2::on_begin(const Frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS || frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  Stream& stream = streams_[frame.hd.stream_id];
  stream.id = frame.hd.stream_id;
  stream.request.http2 = true;
  return 0;
}

int Http2::on_header(const Frame& frame, std::string_view name, std::string_view value) {
  Stream* stream = find(frame.hd.stream_id);
  if (stream == nullptr || stream->dispatched) return 0;  // trailers
  stream->header_bytes += name.size() + value.size() + 32;
  if (stream->header_bytes > connection_.context().limits.header_bytes) return 0;
  HttpRequest& request = stream->request;
  if (name == ":method") {
    request.method = value;
  } else if (name == ":path") {
    if (!request.set_target(value)) stream->refused = true;
  } else if (name == "accept") {
    request.accept = request.accept ? *request.accept + "," + std::string(value) : std::string(value);
  } else if (keeps_header(name)) {
    request.headers.emplace_back(name, value);
  }
  return 0;
}

int Http2::on_frame(const Frame& frame) {
  if (frame.hd.type == NGHTTP2_WINDOW_UPDATE || frame.hd.type == NGHTTP2_SETTINGS) unblock();
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    // Streams that are opened only to be reset cost us more than the peer.
    if (++resets_ > kMostResets) nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  Stream* stream = find(frame.hd.stream_id);
  if (stream == nullptr) return 0;
  if (frame.hd.type == NGHTTP2_HEADERS && !stream->dispatched) begin_request(*stream);
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    stream = find(frame.hd.stream_id);
    if (stream != nullptr) complete_request(*stream);
  }
  return 0;
}

/// Who is answered before the body is complete need not send the rest.
int Http2::on_sent(const Frame& frame) {
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  const Stream* stream = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 ? find(frame.hd.stream_id) : nullptr;
  if (stream != nullptr && !stream->body_done)
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, frame.hd.stream_id, NGHTTP2_NO_ERROR);
  return 0;
}

void Http2::begin_request(Stream& stream) {
  stream.dispatched = true;
  stream.request.peer = connection_.peer();
  stream.answer = connection_.make_answer(stream.id);
  stream.responder = stream.answer->responder();
  stream.head_only = stream.request.method == "HEAD";
  if (stream.head_only) stream.request.method = "GET";
  if (stream.header_bytes > connection_.context().limits.header_bytes)
    return refuse(stream, 431, "the request's header is too large");
  if (stream.refused || stream.request.method == "CONNECT") return refuse(stream, 400, "there is no such target");
  stream.receiver = connection_.context().handler->begin(stream.request, stream.responder);
}

void Http2::complete_request(Stream& stream) {
  if (std::exchange(stream.body_done, true)) return;
  auto responder = std::exchange(stream.responder, nullptr);
  if (stream.receiver) return stream.receiver->end(false);
  if (stream.refused || !responder || stream.answer->begun()) return;
  connection_.context().handler->handle(std::move(stream.request), std::move(responder));
}

void Http2::refuse(Stream& stream, int status, std::string_view message) {
  stream.refused = true;
  stream.answer->respond(
      status, "application/json",
      fmt::format(R"({{"@type":"generic_error","error_code":{}00,"message":"{}"}})", status, message), {});
}

int Http2::on_data(std::int32_t id, std::string_view piece) {
  Stream* stream = find(id);
  if (stream == nullptr) {
    nghttp2_session_consume_connection(session_, piece.size());
  } else if (stream->receiver) {
    stream->receiver->data(piece);
  } else {
    nghttp2_session_consume(session_, id, piece.size());
    take_body(*stream, piece);
  }
  return 0;
}

void Http2::take_body(Stream& stream, std::string_view piece) {
  if (stream.refused || !stream.dispatched || stream.answer->begun()) return;
  ConnectionContext& context = connection_.context();
  if (stream.request.body.size() + piece.size() > context.limits.body_bytes ||
      context.gathered_bytes + piece.size() > context.limits.bodies_bytes)
    return refuse(stream, 413, "the request body is too large");
  context.gathered_bytes += piece.size();
  stream.gathered += piece.size();
  stream.request.body += piece;
}

void Http2::end_stream(Stream& stream) {
  connection_.context().gathered_bytes -= std::exchange(stream.gathered, 0);
  if (stream.receiver && !stream.body_done) stream.receiver->end(true);
  stream.receiver.reset();
  if (stream.answer) stream.answer->gone();
  stream.responder.reset();
}

int Http2::on_close(std::int32_t id) {
  if (const auto it = streams_.find(id); it != streams_.end()) {
    auto node = streams_.extract(it);
    end_stream(node.mapped());
  }
  since_ = Clock::now();
  return 0;
}

ssize_t Http2::most_payload(std::int32_t connection_window, std::int32_t stream_window,
                            std::uint32_t frame_limit) const {
  return std::max(1, std::min({connection_window, stream_window, static_cast<std::int32_t>(frame_limit)}));
}

/// The next frame's worth of what was taken of the answer: clients read each chunk, and each line of a delimited
/// answer, as one document.
std::size_t Http2::next_size(const Stream& stream) {
  const std::string_view rest = std::string_view(stream.chunk).substr(stream.sent);
  const std::size_t line = stream.lines ? rest.find('\n') : std::string_view::npos;
  return line == std::string_view::npos ? rest.size() : line + 1;
}

/// Whether a frame of that size should wait for a larger window. A peer opens its windows again when it has taken half
/// of them, so that larger frames might wait for ever.
bool Http2::can_wait(std::size_t size) const {
  return size <= nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_FRAME_SIZE) &&
         size <= nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE) / 2;
}

ssize_t Http2::read_body(Stream& stream, std::uint8_t* out, std::size_t room, std::uint32_t& flags) {
  if (stream.sent == stream.chunk.size() && !stream.ended) {
    auto next = stream.answer->take_chunk(stream.ended);
    if (!next && !stream.ended) return NGHTTP2_ERR_DEFERRED;
    stream.chunk = next ? std::move(*next) : std::string();
    stream.sent = 0;
  }
  const std::size_t size = next_size(stream);
  if (size > room && (stream.lines || !stream.whole) && can_wait(size)) {
    stream.blocked = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t used = std::min(room, size);
  std::copy_n(stream.chunk.data() + stream.sent, used, out);
  stream.sent += used;
  if (stream.ended && stream.sent == stream.chunk.size()) {
    if (!stream.answer->is_broken())
      flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (used == 0)
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // resets the stream
  }
  return static_cast<ssize_t>(used);
}

void Http2::submit_head(Stream& stream, const Answer::Head& head) {
  stream.head_sent = true;
  stream.whole = head.length.has_value();
  stream.lines = head.content_type == media_type_name(MediaType::delimited);
  const std::string status = std::to_string(head.status);
  const std::string length = head.length ? std::to_string(*head.length) : "";
  std::vector<std::string> names;
  names.reserve(head.headers.size());
  std::vector<nghttp2_nv> fields = {header(":status", status), header("date", http_date())};
  if (!head.content_type.empty()) fields.push_back(header("content-type", head.content_type));
  if (head.tells_length()) fields.push_back(header("content-length", length));
  for (const auto& [name, value] : head.headers) {
    std::string& lower = names.emplace_back(name);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    fields.push_back(header(lower, value));
  }
  nghttp2_data_provider body{};
  body.source.ptr = this;
  body.read_callback = [](nghttp2_session*, std::int32_t id, std::uint8_t* out, std::size_t room, std::uint32_t* flags,
                          nghttp2_data_source* source, void*) -> ssize_t {
    auto* protocol = static_cast<Http2*>(source->ptr);
    Stream* found = protocol->find(id);
    return found == nullptr ? static_cast<ssize_t>(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE)
                            : protocol->read_body(*found, out, room, *flags);
  };
  const bool empty = stream.head_only || (head.length && *head.length == 0);
  nghttp2_submit_response(session_, stream.id, fields.data(), fields.size(), empty ? nullptr : &body);
}

void Http2::pump_one(Stream& stream) {
  if (!stream.answer) return;
  if (const std::size_t bytes = stream.answer->take_consumed(); bytes > 0)
    nghttp2_session_consume(session_, stream.id, bytes);
  if (auto head = stream.answer->take_head())
    submit_head(stream, *head);
  else if (stream.head_sent)
    nghttp2_session_resume_data(session_, stream.id);
  if (stream.answer->is_aborted())
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_INTERNAL_ERROR);
}

void Http2::unblock() {
  for (auto& [id, stream] : streams_)
    if (std::exchange(stream.blocked, false)) nghttp2_session_resume_data(session_, id);
}

void Http2::pump(const std::vector<std::shared_ptr<Answer>>& answers) {
  for (const auto& answer : answers) {
    Stream* stream = find(answer->id());
    if (stream != nullptr && stream->answer == answer) pump_one(*stream);
  }
  send_pending();
}

void Http2::send_pending() {
  if (in_session_ || lost_) return;
  in_session_ = true;
  while (connection_.backlog() < kMostUnsent) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    if (size <= 0) break;
    connection_.send(view(bytes, static_cast<std::size_t>(size)));
  }
  in_session_ = false;
  if (!nghttp2_session_want_read(session_) && !nghttp2_session_want_write(session_)) connection_.close_when_sent();
}

void Http2::drain() {
  if (std::exchange(draining_, true)) return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  send_pending();
}

void Http2::lost() {
  if (std::exchange(lost_, true)) return;
  auto streams = std::exchange(streams_, {});
  for (auto& [id, stream] : streams) end_stream(stream);
}

void Http2::tick(Clock::time_point now) {
  const std::chrono::duration<double> passed = now - counted_;
  counted_ = now;
  resets_ = std::max(0.0, resets_ - kResetsPerSecond * passed.count());
  const HttpLimits& limits = connection_.context().limits;
  for (auto& [id, stream] : streams_)
    if (!stream.body_done && !stream.receiver && now - since_ > limits.request_time)
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  if (streams_.empty() && (draining_ || now - since_ > limits.idle_time)) {
    if (!draining_) nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    if (draining_) return connection_.close_when_sent();
  }
  send_pending();
}

}  // namespace

std::unique_ptr<Protocol> make_http2(Connection& connection) {
  return std::make_unique<Http2>(connection);
}

std::unique_ptr<Protocol> make_http2_upgraded(Connection& connection, const std::string& settings,
                                              HttpRequest& request) {
  auto protocol = std::make_unique<Http2>(connection);
  if (!protocol->upgrade(settings, request)) return nullptr;
  return protocol;
}

}  // namespace millrace::inline server
