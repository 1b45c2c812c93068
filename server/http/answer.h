#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "parser/error/mutex.h"
#include "server/http/exchange.h"

namespace millrace::inline server {

constexpr int kNoContent = 204;  // a status that never has a length

class Connection;

/// The answer to one request on its way from any thread, where Responder is called, to the thread of its connection,
/// which takes it piece by piece.
class Answer final : public Responder, public std::enable_shared_from_this<Answer> {
 public:
  struct Head {
    int status = 200;
    std::string content_type;
    Headers headers;
    std::optional<std::size_t> length;  // absent: a stream
    /// RFC 9110, 8.6: an answer without content never says so by a length.
    bool tells_length() const { return length && status != 204; }
  };

  /// `id` tells the answers of one connection apart.
  Answer(std::shared_ptr<Connection> connection, std::int32_t id);
  ~Answer() override;
  /// Makes it that of another request. Precondition: it is gone, and nobody else has it.
  void renew(std::shared_ptr<Connection> connection);
  /// What a handler gets: when the last copy goes before the answer is finished, the request is aborted.
  std::shared_ptr<Responder> responder();

  void add_header(std::string name, std::string value) override;
  void respond(int status, std::string_view content_type, std::string_view body, const Headers& headers) override;
  void start(std::string_view content_type) override;
  bool write(std::string chunk) override;
  void finish() override;
  void break_off() override;
  void abort() override;
  void watch(std::function<void()> drained, std::function<void()> closed) override;
  void post(std::function<void()> work) override;
  void consumed(std::size_t bytes) override;

  // What follows is for the connection's thread.
  std::int32_t id() const { return id_; }
  /// Once, as soon as there is one.
  std::optional<Head> take_head();
  /// A handler has begun to answer, even if its head was taken already.
  bool begun() const { return begun_; }
  /// What there is to send: head and one chunk. The strings are exchanged, so that their memory is used again.
  struct Part {
    bool has_head = false;
    Head head;
    std::string chunk;    // empty: none waits, or none was wanted
    bool end = false;     // none will come any more
    bool broken = false;  // with `end`: though it is not complete
    bool aborted = false;
    std::size_t consumed = 0;
  };
  void take(Part& part, bool chunk_wanted);
  /// The next chunk, or nothing; `end` when none will come any more.
  std::optional<std::string> take_chunk(bool& end);
  std::size_t take_consumed();
  bool is_aborted();
  /// Its end, once taken, is not that of all there was to tell.
  bool is_broken();
  /// The peer has gone, or takes no more of this answer.
  void gone();

 private:
  /// Adds to the answer under the lock, then tells the connection. False: a lot is waiting.
  template <class Change>
  bool change(Change&& make);
  bool none_waits() const REQUIRES(mutex_) { return whole_.empty() && chunks_.empty(); }
  std::optional<std::string> pop_chunk() REQUIRES(mutex_);

  const std::int32_t id_;
  std::atomic<bool> begun_ = false, finished_ = false;  // written with the lock

  Mutex mutex_;
  std::shared_ptr<Connection> connection_ GUARDED_BY(mutex_);
  Headers extra_ GUARDED_BY(mutex_);  // of the head to come
  bool has_head_ GUARDED_BY(mutex_) = false;
  Head head_ GUARDED_BY(mutex_);
  std::string whole_ GUARDED_BY(mutex_);              // of an answer that came at once; before chunks_
  std::list<std::string> chunks_ GUARDED_BY(mutex_);  // an empty one takes no memory
  std::size_t waiting_ GUARDED_BY(mutex_) = 0, consumed_ GUARDED_BY(mutex_) = 0;
  bool broken_ GUARDED_BY(mutex_) = false;
  bool aborted_ GUARDED_BY(mutex_) = false, gone_ GUARDED_BY(mutex_) = false, congested_ GUARDED_BY(mutex_) = false;
  std::function<void()> on_drained_ GUARDED_BY(mutex_), on_closed_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline server
