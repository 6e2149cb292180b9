#include "exporter/web_config/watched_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/lab/temporary_folder.h"

namespace finwait::web_config {
namespace {

class WatchedFileTest : public testing::Test {
 protected:
  std::string Content() { return file_.Content() ? *file_.Content() : file_.Content().error().message; }

  lab::TemporaryFolder folder_;
  std::string path_ = folder_.Write("file", "one");
  WatchedFile file_{path_};
};

TEST_F(WatchedFileTest, TheFirstReadingIsAChange) {
  EXPECT_TRUE(file_.Refresh());
  EXPECT_EQ(Content(), "one");
  EXPECT_FALSE(file_.Refresh());
}

TEST_F(WatchedFileTest, AChangeOfTheSameLengthWithinTheClocksGrainIsSeen) {
  for (int i = 0; i < 200; ++i) {
    folder_.Write("file", std::to_string(100 + i));
    EXPECT_TRUE(file_.Refresh()) << i;
    EXPECT_EQ(Content(), std::to_string(100 + i));
  }
}

TEST_F(WatchedFileTest, AChangeThatKeepsTheTimeOfModificationIsSeen) {
  EXPECT_TRUE(file_.Refresh());
  const timespec past[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  utimensat(AT_FDCWD, path_.c_str(), past, 0);
  file_.Refresh();
  folder_.Write("file", "two");
  utimensat(AT_FDCWD, path_.c_str(), past, 0);
  EXPECT_TRUE(file_.Refresh());
  EXPECT_EQ(Content(), "two");
}

TEST_F(WatchedFileTest, WritingTheSameContentIsNoChange) {
  EXPECT_TRUE(file_.Refresh());
  folder_.Write("file", "one");
  EXPECT_FALSE(file_.Refresh());
}

TEST_F(WatchedFileTest, AFileThatGoesAndComesBackIsSeenBothTimes) {
  EXPECT_TRUE(file_.Refresh());
  std::filesystem::remove(path_);
  EXPECT_TRUE(file_.Refresh());
  EXPECT_EQ(Content(), "cannot read " + path_ + ": No such file or directory");
  EXPECT_FALSE(file_.Refresh());
  folder_.Write("file", "one");
  EXPECT_TRUE(file_.Refresh());
  EXPECT_EQ(Content(), "one");
}

// As Kubernetes replaces the files of a Secret: FILE -> ..data/FILE, ..data -> ..VERSION.
TEST_F(WatchedFileTest, ALinkThatIsMovedIsSeen) {
  const auto& folder = folder_.Path();
  std::filesystem::create_directory(folder / "..1");
  std::filesystem::create_directory(folder / "..2");
  folder_.Write("..1/key", "old");
  folder_.Write("..2/key", "new");
  std::filesystem::create_symlink("..1", folder / "..data");
  std::filesystem::create_symlink("..data/key", folder / "key");
  WatchedFile file(folder / "key");
  EXPECT_TRUE(file.Refresh());
  EXPECT_EQ(*file.Content(), "old");
  std::filesystem::create_symlink("..2", folder / "..new");
  std::filesystem::rename(folder / "..new", folder / "..data");
  EXPECT_TRUE(file.Refresh());
  EXPECT_EQ(*file.Content(), "new");
}

TEST_F(WatchedFileTest, WhatIsNoFileOrTooLargeIsRefusedAtOnce) {
  const std::string pipe = folder_.PathOf("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& path : {folder_.Path().string(), pipe, std::string("/dev/zero")}) {
    WatchedFile file(path);
    EXPECT_TRUE(file.Refresh());
    ASSERT_FALSE(file.Content()) << path;
    EXPECT_NE(file.Content().error().message.find("not a regular file"), std::string::npos) << path;
  }
  folder_.Write("file", std::string(WatchedFile::kMostBytes, 'x'));
  EXPECT_TRUE(file_.Refresh());
  EXPECT_TRUE(file_.Content());
  folder_.Write("file", std::string(WatchedFile::kMostBytes + 1, 'x'));
  EXPECT_TRUE(file_.Refresh());
  EXPECT_EQ(Content(), "cannot read " + path_ + ": it is larger than 1 MiB");
}

}  // namespace
}  // namespace finwait::web_config
