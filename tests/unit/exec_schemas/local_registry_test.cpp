#include "exec/schemas/local_registry.h"

#include <gtest/gtest.h>

#include "exec/schemas/schema_forms.h"

namespace millrace {
namespace {

using Which = LocalRegistry::Which;

SchemaSource record(const std::string& fields) {
  return {SchemaKind::avro, R"({"type":"record","name":"R","fields":[)" + fields + "]}", {}};
}
const SchemaSource kOne = record(R"({"name":"a","type":"int"})");
const SchemaSource kTwo = record(R"({"name":"a","type":"int"},{"name":"b","type":"int","default":0})");

TEST(LocalRegistry, GivesWhatIsTheSameOneId) {
  LocalRegistry registry;
  EXPECT_EQ(*registry.add("s", kOne), 1);
  EXPECT_EQ(*registry.add("t", record(R"( { "name" : "a" , "type" : "int" } )")), 1);
  EXPECT_EQ(*registry.add("s", kTwo), 2);
  EXPECT_EQ(*registry.versions("s"), (std::vector<int>{1, 2}));
  const SchemaSource proto{SchemaKind::protobuf, "syntax = \"proto3\"; message M { int32 a = 1; }", {}};
  const SchemaSource spaced{
      SchemaKind::protobuf, "syntax = \"proto3\";\n// said\nmessage M {\n  int32 a = 1;\n}\n", {}};
  EXPECT_EQ(*registry.add("p", proto), *registry.add("p", spaced));
  EXPECT_EQ(*registry.versions("p"), std::vector<int>{1});
}

TEST(LocalRegistry, DeletesSoftlyAndForGood) {
  LocalRegistry registry;
  (void)registry.add("s", kOne);
  (void)registry.add("s", kTwo);
  EXPECT_FALSE(*registry.erase("s", 1)) << "what was not deleted softly before";
  EXPECT_TRUE(*registry.hide("s", 1));
  EXPECT_FALSE(*registry.hide("s", 1));
  EXPECT_EQ(*registry.versions("s"), std::vector<int>{2});
  EXPECT_EQ(*registry.versions("s", Which::hidden), std::vector<int>{1});
  EXPECT_TRUE(registry.find(1)->has_value()) << "ids stay";
  EXPECT_EQ(*registry.add("s", kOne), 1);
  EXPECT_EQ(*registry.versions("s"), (std::vector<int>{2, 3}));
  EXPECT_TRUE(*registry.remove("s"));
  EXPECT_TRUE(registry.subjects()->empty());
  EXPECT_EQ(*registry.subjects(Which::hidden), std::vector<std::string>{"s"});
  EXPECT_TRUE(*registry.erase("s", 0));
  EXPECT_TRUE(registry.subjects(Which::all)->empty());
  EXPECT_FALSE(registry.find(1)->has_value());
  EXPECT_EQ(*registry.add("s", kTwo), 3) << "ids are not given twice";
  EXPECT_EQ(*registry.versions("s"), std::vector<int>{1});
}

TEST(LocalRegistry, KeepsASchemaThatAnotherSubjectHas) {
  LocalRegistry registry;
  (void)registry.add("s", kOne);
  (void)registry.add("t", kOne);
  (void)registry.remove("s");
  (void)registry.erase("s", 0);
  EXPECT_TRUE(registry.find(1)->has_value());
}

TEST(LocalRegistry, KnowsWhatRefersToAVersion) {
  LocalRegistry registry;
  (void)registry.add("s", kOne);
  const SchemaSource user{
      SchemaKind::avro, R"({"type":"record","name":"U","fields":[{"name":"r","type":"R"}]})", {{"R", "s", 1}}};
  const auto id = registry.add("u", user);
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_EQ(*registry.referred_by("s", 1), std::vector<std::int32_t>{*id});
  (void)registry.remove("u");
  EXPECT_TRUE(registry.referred_by("s", 1)->empty());
}

TEST(LocalRegistry, LetsNobodyWriteWhenItIsReadOnly) {
  LocalRegistry registry;
  ASSERT_TRUE(registry.set_mode("", RegistryMode::readonly));
  EXPECT_FALSE(registry.add("s", kOne));
  ASSERT_TRUE(registry.set_mode("s", RegistryMode::readwrite));
  EXPECT_TRUE(registry.add("s", kOne));
  ASSERT_TRUE(registry.set_mode("s", std::nullopt));
  EXPECT_FALSE(registry.remove("s"));
  EXPECT_FALSE(registry.add("s", kTwo));
  EXPECT_TRUE(registry.add("s", kOne)) << "what is there is found";
}

TEST(LocalRegistry, FindsWhatSaysTheSame) {
  LocalRegistry registry;
  (void)registry.add(
      "s", {SchemaKind::avro, R"({"type":"record","name":"a.R","fields":[{"name":"x","type":{"type":"int"}}]})", {}});
  const SchemaSource other{
      SchemaKind::avro, R"({"namespace":"a","name":"R","fields":[{"type":"int","name":"x"}],"type":"record"})", {}};
  EXPECT_FALSE(registry.version_of("s", other)->has_value());
  EXPECT_TRUE(registry.version_of("s", other, Which::live, true)->has_value());
  EXPECT_EQ(*normal_form(SchemaKind::json, {R"({"b":1,"a":{"d":2,"c":3}})", {}}), R"({"a":{"c":3,"d":2},"b":1})");
  EXPECT_EQ(*normal_form(SchemaKind::protobuf, {"package p; message M { optional N n = 1; } message N { }", {}}),
            *normal_form(SchemaKind::protobuf,
                         {"syntax=\"proto2\"; package p; message M { optional .p.N n=1; } message N{}", {}}));
}

TEST(LocalRegistry, ReplaysWhatEarlierVersionsKept) {
  // Earlier versions told texts apart by every space, and deleted at once.
  LocalRegistry registry;
  RegistryChange change;
  change.subject = "s";
  change.version = 1;
  change.id = 1;
  change.schema = kOne;
  registry.replay(change);
  change.version = 2;
  change.id = 2;
  change.schema = record(R"( {"name":"a","type":"int"} )");
  registry.replay(change);
  EXPECT_TRUE(registry.find(2)->has_value()) << "data was written by it";
  EXPECT_EQ(*registry.add("s", kTwo), 3);
  change.kind = RegistryChange::Kind::remove_subject;
  registry.replay(change);
  EXPECT_TRUE(registry.subjects(Which::all)->empty());
  EXPECT_TRUE(registry.find(1)->has_value());
}

}  // namespace
}  // namespace millrace
