#include "exec/schemas/compatibility.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "exec/schemas/json_schema.h"

namespace millrace {
namespace {

struct Expectation {
  bool strict = false, backward = false;
  std::string outcome;  // ok, or how the finding begins
};
struct Case {
  SchemaKind kind = SchemaKind::avro;
  std::string name, old, next;
  std::vector<Expectation> expectations;
};

std::string rest_of(std::istringstream& line) {
  std::string text;
  std::getline(line >> std::ws, text);
  return text;
}

std::vector<Case> cases() {
  std::ifstream file("tests/unit/exec_schemas/compatibility_cases.txt");
  std::vector<Case> out;
  for (std::string text; std::getline(file, text);) {
    if (text.empty() || text[0] == '#') continue;
    std::istringstream line(text);
    std::string word;
    line >> word;
    if (word == "case") {
      std::string kind;
      line >> kind;
      out.emplace_back().kind = find_schema_kind(kind).value();
      out.back().name = rest_of(line);
      continue;
    }
    Case& last = out.back();
    if (word == "old" || word == "new") {
      (word == "old" ? last.old : last.next) = rest_of(line);
      continue;
    }
    Expectation expectation;
    expectation.strict = word == "strict";
    if (expectation.strict) line >> word;
    expectation.backward = word == "backward";
    expectation.outcome = rest_of(line);
    last.expectations.push_back(expectation);
  }
  return out;
}

TEST(CompatibilityCases, EndAsTheySay) {
  const auto all = cases();
  ASSERT_GT(all.size(), 70U);
  for (const Case& one : all) {
    ASSERT_TRUE(check_schema(one.kind, {one.old, {}})) << one.name;
    ASSERT_TRUE(check_schema(one.kind, {one.next, {}})) << one.name;
    ASSERT_FALSE(one.expectations.empty()) << one.name;
    for (const Expectation& expectation : one.expectations) {
      const SchemaText old{one.old, {}}, next{one.next, {}};
      const auto policy = expectation.strict ? ContentPolicy::strict : ContentPolicy::lenient;
      const auto found = expectation.backward ? reading_fault(one.kind, next, old, policy)
                                              : reading_fault(one.kind, old, next, policy);
      ASSERT_TRUE(found) << one.name << ": " << found.error().message;
      const std::string outcome = found->value_or("ok");
      EXPECT_TRUE(outcome.starts_with(expectation.outcome))
          << schema_kind_name(one.kind) << ", " << one.name << (expectation.strict ? ", strict" : "")
          << (expectation.backward ? ", backward: " : ", forward: ") << outcome << " instead of "
          << expectation.outcome;
    }
  }
}

TEST(Compatibility, EachLevelLooksAtWhatItSays) {
  const auto record = [](const std::string& fields) {
    return KnownSchema{SchemaKind::avro,
                       {R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"})" + fields + "]}", {}}};
  };
  const KnownSchema plain = record(""), optional = record(R"(,{"name":"b","type":"int","default":0})"),
                    needed = record(R"(,{"name":"b","type":"int"})");
  const auto allowed = [](Compatibility level, const std::vector<KnownSchema>& history, const KnownSchema& next) {
    const auto found = compatibility_fault({level, ContentPolicy::lenient}, history, next);
    return found && !*found;
  };
  using enum Compatibility;
  // `needed` does not read `plain`, but `optional`; everything reads `needed`.
  const std::vector<KnownSchema> history{plain, optional};
  EXPECT_TRUE(allowed(none, history, {SchemaKind::json, {"{}", {}}}));
  EXPECT_TRUE(allowed(backward, history, needed));
  EXPECT_FALSE(allowed(backward_transitive, history, needed));
  EXPECT_FALSE(allowed(backward, {plain}, needed));
  EXPECT_TRUE(allowed(forward, {plain}, needed));
  EXPECT_TRUE(allowed(forward_transitive, history, needed));
  EXPECT_FALSE(allowed(forward, {needed}, plain));
  EXPECT_TRUE(allowed(forward, {needed, optional}, plain));
  EXPECT_FALSE(allowed(forward_transitive, {needed, optional}, plain));
  EXPECT_TRUE(allowed(full, history, needed));
  EXPECT_FALSE(allowed(full_transitive, history, needed));
  EXPECT_FALSE(allowed(full, {plain}, needed));
  EXPECT_TRUE(allowed(full_transitive, {plain}, optional));
  EXPECT_FALSE(allowed(backward, {plain}, {SchemaKind::json, {"{}", {}}}));
}

TEST(Compatibility, StandsSchemasThatHoldThemselves) {
  const std::vector<std::string> circles = {
      R"({"allOf":[{"$ref":"#"},{"$ref":"#"}]})",
      R"({"oneOf":[{"$ref":"#"},{"$ref":"#"}]})",
      R"({"$ref":"#"})",
      R"({"not":{"$ref":"#"}})",
      R"({"type":"array","items":{"$ref":"#"}})",
      R"({"anyOf":[{"allOf":[{"$ref":"#"},{"type":"string"}]},{"oneOf":[{"$ref":"#"},{"type":"object"}]}]})"};
  for (const std::string& reader : circles)
    for (const std::string& writer : circles) EXPECT_TRUE(reading_fault(SchemaKind::json, {reader, {}}, {writer, {}}));
  const std::vector<ColumnDef> columns = {{"A", Type::structure({{"X", Type::integer()}})}};
  for (const std::string& schema : circles) (void)json_schema::shapes_for({schema, {}}, columns, false);
}

TEST(Compatibility, GivesUpOnWhatIsTooComplex) {
  // Each level has two branches that differ in nothing but what lies deepest.
  std::string old = R"({"const":0})", next = R"({"const":1})";
  for (int level = 0; level < 12; ++level)
    for (std::string* text : {&old, &next}) *text = R"({"anyOf":[)" + *text + "," + *text + "]}";
  const auto found = reading_fault(SchemaKind::json, {next, {}}, {old, {}});
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->has_value());
}

TEST(CheckSchema, RefusesWhatCannotBeRegistered) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {R"({"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]})",
       "Duplicate field"},
      {R"({"type":"record","name":"R","fields":[{"name":"a-b","type":"int"}]})", "Illegal character"},
      {R"({"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]})", "Invalid default"},
      {R"({"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":"x"}]})",
       "Invalid default"},
      {R"(["int","int"])", "Duplicate in union"},
      {R"({"type":"enum","name":"E","symbols":["A","A"]})", "Duplicate enum symbol"},
      {R"({"type":"enum","name":"E","symbols":["A"],"default":"B"})", "not in the symbols"},
      {R"({"type":"record","name":"R"})", "no fields"},
      {R"("nothing")", "Undefined name"}};
  for (const auto& [text, why] : bad) {
    const auto done = check_schema(SchemaKind::avro, {text, {}});
    ASSERT_FALSE(done) << text;
    EXPECT_NE(done.error().message.find(why), std::string::npos) << done.error().message;
  }
  EXPECT_FALSE(check_schema(SchemaKind::protobuf, {"message {", {}}));
  EXPECT_FALSE(check_schema(SchemaKind::json, {"[]", {}}));
}

}  // namespace
}  // namespace millrace
