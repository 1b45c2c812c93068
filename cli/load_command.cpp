#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <map>

#include "cli/commands.h"
#include "cli/connection_options.h"
#include "cli/options.h"
#include "parser/error/letter_case.h"
#include "server/http/client.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

constexpr const char* kLoadHelp = R"(usage: millrace load STREAM FILE [URL]

Inserts the rows of a CSV file with a header line, or of a file of JSON objects, one a line. FILE - reads standard input.
Empty CSV fields are NULL. Column types come from the stream. URL defaults to http://localhost:8088.

  --format csv|json          (default: json when the first character is a brace)
  --delimiter C              of CSV, default a comma
  -q, --quiet                no progress

examples:
  millrace load clicks clicks.csv
  millrace load clicks clicks.csv --delimiter ';' http://streams.example.org:8088
  zcat flights.json.gz | millrace load flights -
)";
const std::vector<OptionDef> kLoadOptions =
    with_connection_options({{"format", 0, true}, {"delimiter", 0, true}, {"quiet", 'q', false}, {"help", 'h', false}});
constexpr std::size_t kBatchBytes = 4 << 20;

struct LoadError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

HttpResponse must(Result<HttpResponse> response) {
  if (!response) throw LoadError(response.error().message);
  if (response->status == 200) return std::move(*response);
  boost::system::error_code ignored;
  const json::value body = json::parse(response->body, ignored);
  if (body.is_object() && body.get_object().contains("message"))
    throw LoadError(std::string(body.get_object().at("message").as_string()));
  throw LoadError(fmt::format("HTTP status {}", response->status));
}

/// Base types of the columns, by upper-cased name.
std::map<std::string, std::string> column_types(HttpClient& client, const std::string& stream) {
  const std::string body = json::serialize(json::object{{"ksql", fmt::format("DESCRIBE {};", stream)}});
  const json::value entities = json::parse(must(client.request("POST", "/ksql", body)).body);
  std::map<std::string, std::string> types;
  for (const json::value& field :
       entities.as_array().at(0).as_object().at("sourceDescription").as_object().at("fields").as_array())
    types[std::string(field.as_object().at("name").as_string())] =
        std::string(field.as_object().at("schema").as_object().at("type").as_string());
  return types;
}

std::vector<std::string> split_csv(const std::string& line, char delimiter) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c != '"')
        fields.back() += c;
      else if (i + 1 < line.size() && line[i + 1] == '"')
        fields.back() += line[++i];
      else
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == delimiter) {
      fields.emplace_back();
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  return fields;
}

/// One CSV line as a JSON object.
class CsvRows {
 public:
  CsvRows(const std::string& header, char delimiter, const std::map<std::string, std::string>& types)
      : delimiter_(delimiter) {
    for (const std::string& name : split_csv(header, delimiter)) {
      auto it = types.find(name);
      if (it == types.end()) it = types.find(upper_case(name));
      if (it == types.end())
        throw LoadError(fmt::format("the CSV header names column '{}', which the stream does not have", name));
      const bool number =
          it->second == "INTEGER" || it->second == "BIGINT" || it->second == "DOUBLE" || it->second == "DECIMAL";
      columns_.push_back({json::serialize(json::value("`" + it->first + "`")), number || it->second == "BOOLEAN"});
    }
  }

  void append(const std::string& line, std::size_t number, std::string& out) const {
    const std::vector<std::string> fields = split_csv(line, delimiter_);
    if (fields.size() != columns_.size())
      throw LoadError(fmt::format("line {}: {} fields, expected {}", number, fields.size(), columns_.size()));
    out += '{';
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i != 0) out += ',';
      out += columns_[i].name;
      out += ':';
      if (fields[i].empty())
        out += "null";
      else if (columns_[i].bare)
        out += fields[i];
      else
        out += json::serialize(json::value(fields[i]));
    }
    out += "}\n";
  }

 private:
  struct Column {
    std::string name;  // as JSON
    bool bare;
  };
  const char delimiter_;
  std::vector<Column> columns_;
};

/// Sends rows in batches and checks that each was taken.
class Loader {
 public:
  Loader(HttpClient& client, const std::string& stream, bool progress) : client_(client), progress_(progress) {
    head_ = json::serialize(json::object{{"target", stream}}) + "\n";
    body_ = head_;
  }
  std::string& body() { return body_; }
  void row_added() {
    ++waiting_;
    if (body_.size() >= kBatchBytes) flush();
  }
  std::uint64_t flush() {
    if (waiting_ != 0) {
      const HttpResponse response = must(client_.request("POST", "/inserts-stream", body_));
      const std::size_t error = response.body.find("\"status\":\"error\"");
      if (error != std::string::npos) {
        const std::size_t line = response.body.rfind('\n', error) + 1;
        const json::value ack = json::parse(response.body.substr(line, response.body.find('\n', error) - line));
        throw LoadError(fmt::format("row {}: {}", sent_ + ack.as_object().at("seq").to_number<std::uint64_t>() + 1,
                                    ack.as_object().at("message").as_string().c_str()));
      }
      sent_ += waiting_;
      waiting_ = 0;
      body_ = head_;
      if (progress_) std::fprintf(stderr, "\r%llu rows", static_cast<unsigned long long>(sent_));
    }
    return sent_;
  }

 private:
  HttpClient& client_;
  const bool progress_;
  std::string head_, body_;
  std::uint64_t waiting_ = 0, sent_ = 0;
};

std::uint64_t load(std::istream& input, const std::string& stream, HttpClient& client, const Options& options) {
  Loader loader(client, stream, !options.has("quiet") && isatty(2));
  std::string line;
  const bool is_json = options.get("format") ? options.get("format") == "json" : input.peek() == '{';
  std::optional<CsvRows> csv;
  std::size_t number = 0;
  while (std::getline(input, line)) {
    ++number;
    if (line.empty()) continue;
    if (is_json) {
      loader.body() += line;
      loader.body() += '\n';
    } else if (!csv) {
      csv.emplace(line, options.get("delimiter").value_or(",").at(0), column_types(client, stream));
      continue;
    } else {
      csv->append(line, number, loader.body());
    }
    loader.row_added();
  }
  return loader.flush();
}

}  // namespace

int load_command(const std::vector<std::string>& arguments) {
  const Options options(kLoadOptions, arguments);
  if (options.has("help")) return print_help(kLoadHelp);
  if (options.positional().size() < 2 || options.positional().size() > 3)
    throw UsageError("expected STREAM FILE [URL]");
  const std::string& path = options.positional()[1];
  const std::string url = options.positional().size() == 3 ? options.positional()[2] : "http://localhost:8088";
  const ConnectionOptions connection = connection_options(options, url);
  auto client = HttpClient::create(url, connection.headers, connection.tls);
  if (!client) throw UsageError(client.error().message);
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) throw UsageError(fmt::format("cannot read {}", path));
  }
  std::ios::sync_with_stdio(false);
  try {
    const std::uint64_t rows = load(path == "-" ? std::cin : file, options.positional()[0], **client, options);
    std::printf("%s%llu rows loaded into %s\n", isatty(2) && !options.has("quiet") ? "\r" : "",
                static_cast<unsigned long long>(rows), options.positional()[0].c_str());
    return 0;
  } catch (const LoadError& error) {
    std::fprintf(stderr, "millrace load: %s\n", error.what());
    return 1;
  }
}

}  // namespace millrace::inline cli
