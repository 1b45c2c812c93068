#include <fmt/format.h>

#include <thread>

#include "cli/backend.h"
#include "cli/connection_options.h"
#include "cli/print.h"
#include "server/http/client.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

HttpClient::Headers headers_of(const ConnectionOptions& connection) {
  HttpClient::Headers headers = {{"Content-Type", "application/json"}, {"Accept", "application/vnd.ksql.v1+json"}};
  headers.insert(headers.end(), connection.headers.begin(), connection.headers.end());
  return headers;
}

/// Hands the elements of a V1 answer over as they come, a line each; or the lines of PRINT, which are no array.
class V1Reader {
 public:
  explicit V1Reader(RowReceiver& receiver) : receiver_(receiver) {}

  bool take(std::string_view piece) {
    text_ += piece;
    if (!text_.empty() && !any_) lines_ = text_.front() != '[';
    any_ |= !text_.empty();
    std::size_t from = 0;
    for (std::size_t end; (end = text_.find('\n', from)) != std::string::npos; from = end + 1)
      if (!element(std::string_view(text_).substr(from, end - from))) return false;
    text_.erase(0, from);
    return true;
  }
  void finish() {
    if (!stopped_ && !(lines_ && text_.empty())) (void)element(text_);
    if (!ended_) receiver_.end(std::nullopt, std::nullopt);
  }

  /// After an answer without an end: whether it says why.
  bool broken_off() {
    if (!stopped_ && !lines_) (void)element(text_);
    return ended_;
  }

 private:
  bool element(std::string_view line) {
    if (lines_) return keep(receiver_.line(line));
    if (line.starts_with('[')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ',' || line.back() == ']' || line.back() == '\r')) {
      if (line.back() == ']' && line.find('{') == std::string_view::npos) return true;
      if (line.back() == ']' && line.size() >= 2 && line[line.size() - 2] != '}') break;
      line.remove_suffix(1);
    }
    if (line.empty()) return true;
    const auto value = harness::parse_json(line);
    if (!value || !value->is_object()) return true;
    if (const harness::Json* row = value->find("row")) {
      const harness::Json* tombstone = row->find("tombstone");
      const harness::Json* columns = row->find("columns");
      return columns == nullptr || keep(receiver_.row(*columns, tombstone != nullptr && tombstone->truth));
    }
    object(json::parse(line).as_object());
    return true;
  }

  void object(const json::object& object) {
    if (const json::value* header = object.if_contains("header")) {
      const json::object& fields = header->as_object();
      const json::value* id = fields.if_contains("queryId");
      receiver_.header(id != nullptr && id->is_string() ? std::string(id->get_string()) : std::string(),
                       schema_names(fields.at("schema").as_string()), object);
    } else if (const json::value* message = object.if_contains("finalMessage")) {
      ended_ = true;
      receiver_.end(std::string(message->as_string()), std::nullopt);
    } else if (const json::value* error = object.if_contains("errorMessage")) {
      ended_ = true;
      receiver_.end(std::nullopt, error->as_object());
    }
  }

  bool keep(bool going) {
    stopped_ |= !going;
    return going;
  }

  RowReceiver& receiver_;
  std::string text_;
  bool any_ = false, lines_ = false;  // something came; it is plain text
  bool ended_ = false, stopped_ = false;
};

json::object to_object(const PropertyMap& map) {
  json::object object;
  for (const auto& [name, value] : map) object[name] = value;
  return object;
}

json::object error_object(const HttpResponse& response) {
  boost::system::error_code bad;
  json::value body = json::parse(response.body, bad);
  if (!bad && body.is_object() && body.get_object().contains("message")) return std::move(body.get_object());
  return {{"error_code", response.status * 100},
          {"message", fmt::format("HTTP status {}: {}", response.status, response.body)}};
}

class HttpBackend final : public Backend {
 public:
  HttpBackend(std::unique_ptr<HttpClient> client) : client_(std::move(client)) {}

  Result<StatementAnswer> execute(const std::string& sql, const PropertyMap& properties, const Variables& variables,
                                  std::optional<std::int64_t> after_command) override {
    json::object body{
        {"ksql", sql}, {"streamsProperties", to_object(properties)}, {"sessionVariables", to_object(variables)}};
    if (after_command) body["commandSequenceNumber"] = *after_command;
    auto response = client_->request("POST", "/ksql", json::serialize(body));
    if (!response) return response.error();
    StatementAnswer answer;
    boost::system::error_code bad;
    json::value parsed = json::parse(response->body, bad);
    auto take = [&](const json::value& list) {
      for (const json::value& entity : list.as_array()) answer.entities.push_back(entity.as_object());
    };
    if (response->status == 200 && !bad && parsed.is_array()) {
      take(parsed);
      return answer;
    }
    answer.error = error_object(*response);
    if (const json::value* done = answer.error->if_contains("entities"); done != nullptr && done->is_array())
      take(*done);
    return answer;
  }

  Status query(const std::string& sql, const PropertyMap& properties, const Variables& variables, RowReceiver& receiver,
               std::optional<std::chrono::milliseconds> limit) override {
    const json::object body{
        {"ksql", sql}, {"streamsProperties", to_object(properties)}, {"sessionVariables", to_object(variables)}};
    V1Reader reader(receiver);
    std::atomic<bool> done = false;
    std::thread timer;
    if (limit)
      timer = std::thread([&, deadline = std::chrono::steady_clock::now() + *limit] {
        while (!done && std::chrono::steady_clock::now() < deadline)
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (!done) client_->cancel();
      });
    auto response = client_->stream("POST", "/query", json::serialize(body), {},
                                    [&](std::string_view piece) { return reader.take(piece); });
    done = true;
    if (timer.joinable()) timer.join();
    if (!response && reader.broken_off()) return {};
    if (!response) return response.error();
    if (response->status != 200)
      receiver.end(std::nullopt, error_object(*response));
    else
      reader.finish();
    return {};
  }

  void interrupt() override { client_->cancel(); }

  Result<json::object> info() override {
    auto response = client_->request("GET", "/info");
    if (!response) return response.error();
    boost::system::error_code bad;
    json::value body = json::parse(response->body, bad);
    if (bad || !body.is_object() || !body.get_object().contains("KsqlServerInfo"))
      return user_error("{} is not the API of a server", client_->url());
    return body.get_object().at("KsqlServerInfo").as_object();
  }

  Result<bool> is_valid_property(const std::string& name, std::string& why) override {
    auto response = client_->request("GET", "/is_valid_property/" + name);
    if (!response) return response.error();
    if (response->status == 200) return true;
    why = cell_text(error_object(*response).at("message"));
    return false;
  }

 private:
  std::unique_ptr<HttpClient> client_;
};

}  // namespace

std::unique_ptr<Backend> make_http_backend(const std::string& url, const ConnectionOptions& connection) {
  auto client = HttpClient::create(url, headers_of(connection), connection.tls);
  if (!client) return nullptr;
  return std::make_unique<HttpBackend>(std::move(*client));
}

}  // namespace millrace::inline cli
