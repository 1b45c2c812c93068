#pragma once

#include <vector>

#include "planner/settings/settings.h"

namespace millrace::inline planner {

constexpr auto kText = SettingType::text;
constexpr auto kInteger = SettingType::integer;
constexpr auto kBoolean = SettingType::boolean;
constexpr auto kQuery = SettingScope::query;
constexpr auto kServer = SettingScope::server;

/// The rows of the table of settings that are about the server as a process: what it listens on and for whom, its log
/// and its limits.
const std::vector<Setting>& server_settings();

}  // namespace millrace::inline planner
