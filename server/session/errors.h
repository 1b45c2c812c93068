#pragma once

#include "exec/data/result.h"
#include "parser/error/sql_error.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// Codes of http-api.md.
constexpr int kBadRequest = 40000, kBadStatement = 40001, kQueryEndpoint = 40002, kTooManyPushQueries = 40003,
              kUnauthorized = 40100, kForbidden = 40300, kTopicForbidden = 40301, kNotFound = 40400,
              kMethodNotAllowed = 40500, kNotAcceptable = 40600, kTooLarge = 41300, kUnknownEncoding = 41500,
              kAssertionFailed = 41700, kUpgradeRequired = 42600, kTooManyRequests = 42900, kServerError = 50000,
              kSequenceTimeout = 50301, kNotReady = 50302, kStopping = 50303, kTerminated = 50304,
              kTableNotReady = 50305;

/// `statement`: text of the statement at fault, for the body. `plain` makes a generic error of a mistake that is not
/// the parser's.
ServiceError to_service_error(const SqlError& error, const std::string& statement, bool plain = false);
ServiceError to_service_error(const Error& error);
/// An error of no statement.
ServiceError service_error(int code, std::string message);

}  // namespace millrace::inline server
