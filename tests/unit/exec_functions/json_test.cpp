#include <gtest/gtest.h>

#include "exec/functions/json_path.h"
#include "function_call.h"

namespace millrace {
namespace {

using testing_functions::call;
using testing_functions::Outcome;

Outcome text(const char* value) {
  return {Value(std::string(value)), false};
}
const Outcome kNull{Value(), false};
const Outcome kError{Value(), true};

TEST(Json, PathsLeadToMembersAndElements) {
  const auto at = [](const std::string& json, const std::string& path) {
    return call("EXTRACTJSONFIELD", {json, path});
  };
  EXPECT_EQ(at(R"({"data":[{"v":7}]})", "$.data.0.v"), text("7"));
  EXPECT_EQ(at(R"({"data":[{"v":7}]})", "$.data[0].v"), text("7"));
  EXPECT_EQ(at("[1,2]", "$[1]"), text("2"));
  EXPECT_EQ(at("[1,2]", "$.1"), text("2"));
  EXPECT_EQ(at(R"({"0":"a"})", R"($["0"])"), text("a"));
  EXPECT_EQ(at(R"({"0":"a"})", "$[0]"), text("a"));
  EXPECT_EQ(at("[1,2]", R"($["1"])"), text("2"));
  EXPECT_EQ(at("[1,2]", "$.x"), kNull);
  EXPECT_EQ(at("[1,2]", "$[2]"), kNull);
  EXPECT_EQ(at(R"({"a b":{"c\"d":1}})", R"($["a b"]["c\"d"])"), text("1"));
  EXPECT_EQ(at(R"({"a":1})", "$"), text(R"({"a":1})"));
  EXPECT_EQ(at(R"({"@t":1,"x:y":2})", "$.@t"), text("1"));
  EXPECT_EQ(at(R"({"@t":1,"x:y":2})", "$.x:y"), text("2"));
  for (const char* path : {"", "a", "$.", "$a", "$[", "$[0", "$[]", "$.a b", "$[\"a]", "$[\"a\\x\"]", "$.a-b"})
    EXPECT_EQ(at(R"({"a":1})", path), kError) << path;
}

TEST(Json, WhatAPathFinds) {
  const auto at = [](const std::string& json) { return call("EXTRACTJSONFIELD", {json, "$.a"}); };
  EXPECT_EQ(at(R"({"a":"x\ny"})"), text("x\ny"));
  EXPECT_EQ(at(R"({"a":null})"), kNull);
  EXPECT_EQ(at(R"({"a":"null"})"), text("null"));
  EXPECT_EQ(at(R"({"a":[1, {"b" : true, "b" : "\u0041"}]})"), text(R"([1,{"b":"A"}])"));
  EXPECT_EQ(at(R"({"a":1e2})"), text("1E+2"));
  EXPECT_EQ(at(R"({"a":18446744073709551616})"), text("18446744073709551616"));
  EXPECT_EQ(at(R"({"b":1e400,"a":1})"), text("1"));
  EXPECT_EQ(at(R"({"a":1,"b":18446744073709551616})"), text("1"));
  EXPECT_EQ(at(R"({"a":1,"a":2})"), text("2"));
  EXPECT_EQ(at(R"({"a":1,"\u0061":2})"), text("2"));
  EXPECT_EQ(at("\xEF\xBB\xBF{\"a\":1} junk"), text("1"));
  EXPECT_EQ(at(R"({"a":1}})"), text("1"));
  EXPECT_EQ(at(""), kNull);
  for (const char* json : {"junk", R"({"a":1)", R"({"a":1,})", R"({"a":1,"b":01})", R"({"a":1,"b":"\x"})", "1x"})
    EXPECT_EQ(at(json), kError) << json;
  // A member that comes again without what the path asks for hides the first one.
  EXPECT_EQ(call("EXTRACTJSONFIELD", {std::string(R"({"a":{"b":1},"a":{}})"), std::string("$.a.b")}), kNull);
}

TEST(Json, EveryFunctionReadsTheFirstValue) {
  const std::string json = "\xEF\xBB\xBF [1, 1e400, 18446744073709551616, {\"k\":1,\"k\":2}] junk";
  EXPECT_EQ(call("IS_JSON_STRING", {json}).value, Value(true));
  EXPECT_EQ(call("JSON_ARRAY_LENGTH", {json}).value, Value(4));
  EXPECT_EQ(call("JSON_ARRAY_CONTAINS", {json, 1}).value, Value(true));
  EXPECT_EQ(call("JSON_ITEMS", {json}).value,
            Value::list({Value(std::string("1")), Value(std::string("1E+400")),
                         Value(std::string("18446744073709551616")), Value(std::string(R"({"k":2})"))}));
  const std::string object = R"({"b":1,"a":"x","b":[2 , 3]}})";
  EXPECT_EQ(call("JSON_KEYS", {object}).value, Value::list({Value(std::string("b")), Value(std::string("a"))}));
  EXPECT_EQ(call("JSON_RECORDS", {object}).value, Value::map({{Value(std::string("b")), Value(std::string("[2,3]"))},
                                                              {Value(std::string("a")), Value(std::string("x"))}}));
  EXPECT_EQ(call("JSON_CONCAT", {object, std::string(R"({"b":null,"c":1e2}!)")}),
            text(R"({"b":null,"a":"x","c":100})"));
}

TEST(Json, BrokenTextsAreErrors) {
  const std::string deep = std::string(1001, '[') + std::string(1001, ']');
  for (const std::string& json : {std::string("[1"), std::string("nul"), deep}) {
    EXPECT_EQ(call("IS_JSON_STRING", {json}).value, Value(false));
    EXPECT_EQ(call("JSON_ARRAY_LENGTH", {json}), kError);
    EXPECT_EQ(call("JSON_ITEMS", {json}), kError);
    EXPECT_EQ(call("JSON_KEYS", {json}), kError);
    EXPECT_EQ(call("JSON_RECORDS", {json}), kError);
    EXPECT_EQ(call("JSON_CONCAT", {json, json}), kError);
    EXPECT_EQ(call("JSON_ARRAY_CONTAINS", {json, 1}).value, Value(false));
  }
  EXPECT_EQ(call("IS_JSON_STRING", {deep.substr(1, 2000)}).value, Value(true));
  EXPECT_EQ(call("IS_JSON_STRING", {std::string(" ")}).value, Value(false));
  EXPECT_EQ(call("JSON_ARRAY_LENGTH", {std::string("{}")}), kNull);
}

TEST(Json, ConcatLikeItsSpecification) {
  const auto concat = [](std::vector<Value> texts) { return call("JSON_CONCAT", std::move(texts)); };
  const auto s = [](const char* t) { return Value(std::string(t)); };
  EXPECT_EQ(concat({s("[1]"), s("[2,[3]]")}), text("[1,2,[3]]"));
  EXPECT_EQ(concat({s("1"), s("[2]")}), text("[1,2]"));
  EXPECT_EQ(concat({s("1"), s("\"x\"")}), text("[1,\"x\"]"));
  EXPECT_EQ(concat({s("{\"a\":1}"), s("{\"b\":2}"), s("3")}), text("[{\"a\":1},{\"b\":2},3]"));
  EXPECT_EQ(concat({s("{}"), s("{\"b\":2}")}), text("{\"b\":2}"));
  EXPECT_EQ(concat({s("[]"), s("[]")}), text("[]"));
  EXPECT_EQ(concat({s("1"), Value()}), kNull);
}

}  // namespace
}  // namespace millrace
