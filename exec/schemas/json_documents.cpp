#include "exec/schemas/json_documents.h"

#include <algorithm>

namespace millrace::inline exec::json_schema {

namespace json = boost::json;

namespace {

json::value parse_json_text(const std::string& text, boost::system::error_code& error) {
  json::parse_options options;
  options.max_depth = 512;
  return json::parse(text, error, {}, options);
}

}  // namespace

Result<Documents> Documents::parse(const SchemaText& schema) {
  Documents out;
  boost::system::error_code error;
  out.documents_.emplace_back("", parse_json_text(schema.text, error));
  if (error) return user_error("not a JSON Schema: it is not JSON ({})", error.message());
  for (const auto& [name, text] : schema.imports) {
    out.documents_.emplace_back(name, parse_json_text(text, error));
    if (error) return user_error("not a JSON Schema: {} is not JSON ({})", name, error.message());
  }
  return out;
}

Result<const json::value*> Documents::resolve(const std::string& reference, std::size_t& document) const {
  const std::size_t hash = std::min(reference.find('#'), reference.size());
  const std::string file = reference.substr(0, hash);
  const std::string pointer = hash < reference.size() ? reference.substr(hash + 1) : "";
  if (!file.empty()) {
    const auto found = std::ranges::find(documents_, file, [](const auto& d) { return d.first; });
    if (found == documents_.end())
      return user_error("the JSON Schema refers to {}, which is not among its references", file);
    document = static_cast<std::size_t>(found - documents_.begin());
  }
  boost::system::error_code error;
  const json::value* target = documents_[document].second.find_pointer(pointer, error);
  if (target == nullptr) return user_error("the JSON Schema refers to {}, which is not there", reference);
  return target;
}

}  // namespace millrace::inline exec::json_schema
