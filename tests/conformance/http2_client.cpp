#include "tests/conformance/http2_client.h"

#include <arpa/inet.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace millrace::conformance {
namespace {

constexpr int kCancelCheckMs = 100;

class Http2Client final : public HttpClient {
 public:
  explicit Http2Client(int port) : url_("http://127.0.0.1:" + std::to_string(port)) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot connect");
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
          return self(user).on_header({reinterpret_cast<const char*>(name), name_size},
                                      {reinterpret_cast<const char*>(value), value_size});
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks,
        [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t size, void* user) {
          return self(user).on_data({reinterpret_cast<const char*>(data), size});
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t, std::uint32_t error, void* user) {
          self(user).closed_ = true;
          self(user).failed_ = error != NGHTTP2_NO_ERROR;
          return 0;
        });
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Http2Client() override {
    nghttp2_session_del(session_);
    close(socket_);
  }

  void cancel() override { cancelled_ = true; }
  const std::string& url() const override { return url_; }

 private:
  static Http2Client& self(void* user) { return *static_cast<Http2Client*>(user); }

  int on_header(std::string_view name, std::string_view value) {
    if (name == ":status") response_.status = std::stoi(std::string(value));
    if (name == "content-type") response_.content_type = value;
    return 0;
  }
  int on_data(std::string_view data) {
    if (piece_ != nullptr && response_.status == 200)
      (void)(*piece_)(data);
    else
      response_.body += data;
    return 0;
  }

  Result<HttpResponse> exchange(std::string_view method, std::string_view path, std::string_view body,
                                const Headers& headers, const std::function<bool(std::string_view)>* piece) override {
    response_ = {};
    piece_ = piece;
    body_ = body;
    closed_ = failed_ = false;
    cancelled_ = false;
    Headers all = {{":method", std::string(method)},
                   {":scheme", "http"},
                   {":authority", "localhost"},
                   {":path", std::string(path)}};
    all.insert(all.end(), headers.begin(), headers.end());
    std::vector<nghttp2_nv> fields;
    for (auto& [name, value] : all)
      fields.push_back({reinterpret_cast<std::uint8_t*>(name.data()), reinterpret_cast<std::uint8_t*>(value.data()),
                        name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    nghttp2_data_provider provider{};
    provider.source.ptr = &body_;
    provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* out, std::size_t room,
                                std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
      auto& rest = *static_cast<std::string_view*>(source->ptr);
      const std::size_t size = rest.copy(reinterpret_cast<char*>(out), room);
      rest.remove_prefix(size);
      if (rest.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(size);
    };
    nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), body.empty() ? nullptr : &provider,
                           nullptr);
    while (!closed_ && !cancelled_)
      if (!send_all() || !receive_some()) return external_error("the connection is lost");
    if (failed_) return external_error("the stream was reset");
    return std::move(response_);
  }

  bool send_all() {
    const std::uint8_t* bytes = nullptr;
    for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &bytes)) > 0;)
      if (send(socket_, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL) != size) return false;
    return true;
  }
  bool receive_some() {
    pollfd wait{socket_, POLLIN, 0};
    if (poll(&wait, 1, kCancelCheckMs) == 0) return true;
    std::uint8_t buffer[16384];
    const ssize_t size = recv(socket_, buffer, sizeof buffer, 0);
    return size > 0 && nghttp2_session_mem_recv(session_, buffer, static_cast<std::size_t>(size)) == size;
  }

  const std::string url_;
  int socket_ = -1;
  nghttp2_session* session_ = nullptr;
  HttpResponse response_;
  const std::function<bool(std::string_view)>* piece_ = nullptr;
  std::string_view body_;
  bool closed_ = false, failed_ = false;
  std::atomic<bool> cancelled_ = false;
};

}  // namespace

std::unique_ptr<HttpClient> make_http2_client(int port) {
  return std::make_unique<Http2Client>(port);
}

}  // namespace millrace::conformance
