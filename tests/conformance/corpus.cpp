#include "tests/conformance/corpus.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace millrace::conformance {
namespace {

void read_list(const Json& from, std::string_view name, std::vector<RecordSpec>& out) {
  if (const Json* list = from.find(name))
    for (const auto& item : list->items) out.push_back(read_record(item));
}

Case read_case(const Json& from) {
  Case test;
  test.id = from.text_of("id");
  if (const Json* statements = from.find("statements"))
    for (const auto& statement : statements->items) test.statements.push_back(statement.text);
  if (const Json* properties = from.find("properties")) {
    for (const auto& [name, value] : properties->members)
      test.properties.emplace_back(name,
                                   value.kind == Json::Kind::boolean ? (value.truth ? "true" : "false") : value.text);
  }
  if (const Json* topics = from.find("topics")) test.topics = topics->items;
  read_list(from, "inputs", test.inputs);
  read_list(from, "outputs", test.outputs);
  if (const Json* expected = from.find("expectedException"); expected && expected->is_object())
    test.expected_exception = *expected;
  if (const Json* post = from.find("post")) test.post = *post;
  if (const Json* expected = from.find("expectedError"); expected && expected->is_object())
    test.expected_error = *expected;
  if (const Json* responses = from.find("responses")) test.responses = responses->items;
  if (const Json* conditions = from.find("inputConditions"))
    if (const Json* waits = conditions->find("waitForActivePushQuery")) test.waits_for_push = waits->truth;
  if (const Json* proto = from.find("testPullWithProtoFormat")) test.with_protobuf = proto->truth;
  if (const Json* tags = from.find("tags"))
    for (const auto& tag : tags->items) test.tags.push_back(tag.text);
  return test;
}

void load_file(const std::filesystem::path& path, std::vector<Case>& out) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  if (!file) throw std::runtime_error("cannot read " + path.string());
  const auto parsed = parse_json(content.view());
  if (!parsed || parsed->kind != Json::Kind::array)
    throw std::runtime_error(path.string() + " is not an array of cases");
  for (const auto& item : parsed->items) out.push_back(read_case(item));
}

}  // namespace

bool Case::has_tag(std::string_view tag) const {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

std::string_view suite_of(const Case& test) {
  if (test.id.starts_with("rest/")) return "rest";
  if (test.has_tag("java-udf")) return "udf";
  return test.has_tag("needs-schema-registry") ? "registry" : "core";
}

std::vector<Case> load_cases(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
      if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Case> cases;
  for (const auto& file : files) load_file(file, cases);
  return cases;
}

}  // namespace millrace::conformance
